"""Writes the index of a dataset, and writes anew what an earlier version wrote."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.files import read_json, tree_digest, turn, whole_folder, write_json
from tasks.core.layout import Layout
from tasks.core.record import batches, read_table
from tasks.inquiry.lineage import ask, form
from tasks.inquiry.lineage.form import ASIDE, NOT_DRAWN, Dataset, Keys, Read
from tasks.sources.dataset import SIDES
from tasks.sources.sources import load_resolved

Columns = dict[str, npt.NDArray[Any]]
"""By the name of their file."""
BUSY = "another run indexes its dataset"


def add(layout: Layout, use_case: str) -> Dataset:
    """Index the dataset that lies in `layout`, for its run; of one that is indexed already only the run is new."""
    sha256 = tree_digest(layout.stage("split"))
    target = form.folder(layout.state) / sha256
    with turn(form.folder(layout.state) / ".lock", BUSY):
        if not (target / form.ABOUT).exists() or form.is_old(target):
            _write(target, layout, use_case)
        (target / "runs").mkdir(exist_ok=True)
        (target / "runs" / layout.root.name).touch()
        return form.about(target)


def renew(state: Path) -> list[str]:
    """Write anew every index that an earlier version wrote, where a run here has the records. Digests of the datasets.

    The others are left as they are; `form.about` says what is wrong with them.
    """
    return [path.name for path in form.paths(state) if form.is_old(path) and _renewed(state, path)]


def _renewed(state: Path, path: Path) -> bool:
    layout = ask.run_that_has(state, path.name)
    if layout is None or not (layout.stage("ingest") / "result.json").exists():
        return False
    with turn(form.folder(state) / ".lock", BUSY):
        if form.is_old(path):
            _write(path, layout, read_json(path / form.ABOUT)["use_case"])
    return True


def _write(target: Path, layout: Layout, use_case: str) -> None:
    """The index of the dataset in `layout`, in place of what is at `target`; the runs named there stay."""
    known = Dataset(sha256=target.name, use_case=use_case, sources=tuple(_sources(layout)), rows={})
    columns, mentions = _columns(layout, known), _mentions(layout)
    rows = _rows(columns, known)
    _require_as_in_manifest(rows, layout)
    sides = {side: sum(count for (_, other), count in rows.items() if other == side) for side in known.sides}
    runs = [path.name for path in (target / "runs").glob("*")]
    with whole_folder(target) as aside:
        _save(aside, columns, by="records")
        _save(aside, mentions, by="subjects")
        (aside / "runs").mkdir()
        for run in runs:
            (aside / "runs" / run).touch()
        write_json(aside / form.ABOUT, known.model_copy(update={"rows": sides}).model_dump(mode="json"))


def _sources(layout: Layout) -> Iterator[Read]:
    for item in load_resolved(layout.sources).sources:
        yield Read(id=item.source.id, sha256=item.sha256, owner=item.source.owner, steward=item.source.steward)


def _columns(layout: Layout, dataset: Dataset) -> Columns:
    """Of every record that was read: its key, the places of its side and its source in their lists, and its row."""
    rows = read_table(layout.stage("ingest") / "rows.parquet")
    keys = _keys(rows["record_id"].to_pylist())
    sides = np.full(len(keys), dataset.sides.index(ASIDE), np.uint8)
    for side, name in (*zip(SIDES, SIDES, strict=True), (NOT_DRAWN, "not_drawn")):
        if (path := layout.stage("split") / f"{name}.parquet").exists():  # earlier versions wrote no not_drawn.parquet
            held = read_table(path, ["record_id"])["record_id"]
            sides[np.isin(keys, _keys(held.to_pylist()))] = dataset.sides.index(side)
    names = pa.array([source.id for source in dataset.sources])
    return {
        "records": keys,
        "sides": sides,
        "sources": pc.index_in(rows["source_id"], names).to_numpy().astype(np.uint16),
        "rows": rows["row"].to_numpy().astype(np.uint32),
    }


def _mentions(layout: Layout) -> Columns:
    """Each time that a record is about a person: the key of the person's token, and that of the record."""
    subjects: list[int] = []
    about: list[int] = []
    for batch in batches(layout.stage("ingest") / "records.parquet", ["record_id", "subjects"]):
        for record_id, tokens in zip(batch["record_id"].to_pylist(), batch["subjects"].to_pylist(), strict=True):
            subjects += [form.subject_key(token) for token in tokens]
            about += [form.record_key(record_id)] * len(tokens)
    return {"subjects": np.array(subjects, np.uint64), "about": np.array(about, np.uint64)}


def _rows(columns: Columns, dataset: Dataset) -> Counter[tuple[str, str]]:
    """Records by source and side."""
    pairs = zip(columns["sources"].tolist(), columns["sides"].tolist(), strict=True)
    return Counter({(dataset.sources[s].id, dataset.sides[side]): count for (s, side), count in Counter(pairs).items()})


def _require_as_in_manifest(rows: Counter[tuple[str, str]], layout: Layout) -> None:
    """Raises AssertionError where the index would say of a source what the dataset's owners have not signed."""
    origins = read_json(layout.stage("split") / "manifest.json")["sources"]
    signed = {(name, side): origin["rows"][side] for name, origin in origins.items() for side in SIDES}
    if wrong := [(pair, signed[pair], rows[pair]) for pair in signed if signed[pair] != rows[pair]]:
        (name, side), said, counted = wrong[0]
        raise AssertionError(f"lineage: the manifest has {said} {side} records of {name}, and the index {counted}")


def _save(folder: Path, columns: Columns, by: str) -> None:
    order = np.argsort(columns[by], kind="stable")
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values[order])


def _keys(record_ids: list[str]) -> Keys:
    return np.array([form.record_key(record_id) for record_id in record_ids], dtype=np.uint64)
