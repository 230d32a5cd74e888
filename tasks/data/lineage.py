"""Which record is in which dataset, and which records a person is in: an index that answers in milliseconds.

Records that a stage put aside are in it too, as ASIDE: a run keeps them, though no model was trained on them.

One folder for each dataset, named by the digest of `artefacts/split`, under `.hallmark/lineage/`. A record is known by
the first 16 of its id's hex digits, a subject by 16 digits of its token's SHA-256; both are kept sorted and searched on
the disk, 20 looks for a million, so a hundred datasets take no longer to ask than to open.

    records.npy    uint64, sorted                  sides.npy, sources.npy, rows.npy   of the same records
    subjects.npy   uint64, sorted, one a mention   about.npy                          the record of each mention
    about.json     `Dataset`
    runs/          an empty file for each run that made it, named by its id
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Frozen
from tasks.dataset import SIDES
from tasks.errors import InputError
from tasks.files import read_json, sha256_bytes, tree_digest, turn, whole_folder, write_json
from tasks.layout import Layout
from tasks.params import Sha256
from tasks.record import batches, read_table

Keys = npt.NDArray[np.uint64]
ASIDE = "put aside"
"""Of a record that its run read and that is on neither side of the dataset."""
PLACES = (*SIDES, ASIDE)
"""What the numbers in sides.npy mean."""


class Dataset(Frozen):
    """about.json"""

    sha256: Sha256
    """`tasks.files.tree_digest` of artefacts/split, the subject of the data gate."""
    use_case: str
    sources: dict[str, Sha256]
    """By source_id, in the order that sources.npy counts in: the digest of what was read."""
    rows: dict[str, int]
    """By side, and those put aside."""


@dataclass(frozen=True)
class Membership:
    """A record in a dataset, or put aside when it was made."""

    dataset: Sha256
    record: str
    """The first 16 hex digits of its id."""
    side: str
    """One of PLACES."""
    source_id: str
    row: int
    """1-based data row of its source."""


def add(layout: Layout, use_case: str) -> Dataset:
    """Index the dataset that lies in `layout`, for its run; of one that is indexed already only the run is new."""
    sha256 = tree_digest(layout.stage("split"))
    target = folder(layout.state) / sha256
    with turn(folder(layout.state) / ".lock", "another run indexes its dataset"):
        known = (target / "about.json").exists()
        made = Dataset.model_validate(read_json(target / "about.json")) if known else _index(layout, use_case, sha256)
        (target / "runs").mkdir(exist_ok=True)
        (target / "runs" / layout.root.name).touch()
    return made


def _index(layout: Layout, use_case: str, sha256: str) -> Dataset:
    ingested = read_json(layout.stage("ingest") / "result.json")
    sources = {source["id"]: source["sha256"] for source in ingested["sources"]}
    columns, mentions = _columns(layout, list(sources)), _mentions(layout)
    order = np.argsort(columns["records"], kind="stable")
    dataset = Dataset(
        sha256=sha256,
        use_case=use_case,
        sources=sources,
        rows={place: int((columns["sides"] == number).sum()) for number, place in enumerate(PLACES)},
    )
    with whole_folder(folder(layout.state) / sha256) as aside:
        for name, values in columns.items():
            np.save(aside / f"{name}.npy", values[order])
        by_subject = np.argsort(mentions["subjects"], kind="stable")
        for name, values in mentions.items():
            np.save(aside / f"{name}.npy", values[by_subject])
        write_json(aside / "about.json", dataset.model_dump(mode="json"))
    return dataset


def datasets(state: Path) -> list[Dataset]:
    """Every dataset that was indexed, sorted by digest. What begins with a dot is an index that never was finished."""
    return [Dataset.model_validate(read_json(path)) for path in sorted(folder(state).glob("[!.]*/about.json"))]


def runs(state: Path, sha256: str) -> list[str]:
    """The runs that made a dataset, oldest first."""
    named = [path.name for path in (folder(state) / sha256 / "runs").glob("*")]
    return sorted(named, key=lambda run: (Layout(state / "runs" / run).made, run))


def of_record(state: Path, record_id: str) -> list[Membership]:
    """Where a record is."""
    return [found for dataset in datasets(state) for found in _members(state, dataset, [_key(record_id)])]


def of_subjects(state: Path, tokens: list[str]) -> list[Membership]:
    """Where the records are that mention any of the tokens."""
    wanted = [subject_key(token) for token in tokens]
    found = []
    for dataset in datasets(state):
        subjects, about = (_load(state, dataset, name) for name in ("subjects", "about"))
        keys = {int(key) for want in wanted for key in about[slice(*_range(subjects, want))]}
        found += _members(state, dataset, sorted(keys))
    return found


def of_dataset(state: Path, sha256: str) -> list[Membership]:
    """Every record on a side of a dataset, by source and row. Raises InputError for one that was never indexed here."""
    dataset = next((known for known in datasets(state) if known.sha256 == sha256), None)
    if dataset is None:
        raise InputError(f"there is no index of dataset {sha256[:12]} here; it is written when the data gate passes")
    found = _at(state, dataset, range(sum(dataset.rows.values())))
    on_a_side = (member for member in found if member.side != ASIDE)
    return sorted(on_a_side, key=lambda member: (member.source_id, member.row))


def folder(state: Path) -> Path:
    return state / "lineage"


def subject_key(token: str) -> int:
    return int(sha256_bytes(token.encode())[:16], 16)


def _key(record_id: str) -> int:
    return int(record_id[:16], 16)


def _keys(record_ids: list[str]) -> Keys:
    return np.array([_key(record_id) for record_id in record_ids], dtype=np.uint64)


def _columns(layout: Layout, sources: list[str]) -> dict[str, npt.NDArray[Any]]:
    """Of every record that was read: its key, the number of its side or of ASIDE, of its source, and its row."""
    rows = read_table(layout.stage("ingest") / "rows.parquet")
    keys = _keys(rows["record_id"].to_pylist())
    sides = np.full(len(keys), PLACES.index(ASIDE), np.uint8)
    for number, side in enumerate(SIDES):
        held = read_table(layout.stage("split") / f"{side}.parquet", ["record_id"])["record_id"]
        sides[np.isin(keys, _keys(held.to_pylist()))] = number
    return {
        "records": keys,
        "sides": sides,
        "sources": pc.index_in(rows["source_id"], pa.array(sources)).to_numpy().astype(np.uint16),
        "rows": rows["row"].to_numpy().astype(np.uint32),
    }


def _mentions(layout: Layout) -> dict[str, Keys]:
    """Each time that a record is about a person: the key of the person's token, and that of the record."""
    subjects: list[int] = []
    about: list[int] = []
    for batch in batches(layout.stage("ingest") / "records.parquet", ["record_id", "subjects"]):
        for record_id, tokens in zip(batch["record_id"].to_pylist(), batch["subjects"].to_pylist(), strict=True):
            subjects += [subject_key(token) for token in tokens]
            about += [_key(record_id)] * len(tokens)
    return {"subjects": np.array(subjects, np.uint64), "about": np.array(about, np.uint64)}


def _members(state: Path, dataset: Dataset, keys: list[int]) -> list[Membership]:
    records = _load(state, dataset, "records")
    places = [place for key in keys for place in range(*_range(records, key))]
    return _at(state, dataset, places) if places else []


def _at(state: Path, dataset: Dataset, places: Sequence[int]) -> list[Membership]:
    records, sides, sources, rows = (_load(state, dataset, name) for name in ("records", "sides", "sources", "rows"))
    names = list(dataset.sources)
    return [
        Membership(dataset.sha256, f"{int(records[p]):016x}", PLACES[sides[p]], names[sources[p]], int(rows[p]))
        for p in places
    ]


def _range(keys: Keys, key: int) -> tuple[int, int]:
    low, high = (int(np.searchsorted(keys, np.uint64(key), side)) for side in ("left", "right"))
    return low, high


def _load(state: Path, dataset: Dataset, name: str) -> npt.NDArray[Any]:
    loaded: npt.NDArray[Any] = np.load(folder(state) / dataset.sha256 / f"{name}.npy", mmap_mode="r")
    return loaded
