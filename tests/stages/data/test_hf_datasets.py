"""Hugging Face datasets on disk: what is read of folders that `datasets` wrote, and what damaged ones are told."""

import io
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import InputError
from tasks.stages.data.ingest import ingest
from tasks.stages.data.readers.content import open_content
from tasks.stages.data.readers.formats import hf_dataset_reader
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.stages.data.build import Run, params, source
from tests.stages.data.hostile import nulls, repeated

WRITTEN = Path(__file__).parent / "fixtures" / "hf_dataset"
"""DatasetDict of five and two rows, written by `save_to_disk` of datasets 5.2.0 with pyarrow 26.0.1."""
SHARD = "train/data-00000-of-00002.arrow"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN, tmp_path / "saved"))


def read(folder: Path, mapping: dict[str, Any] | None = None, **fields: Any) -> list[Row | MalformedRow]:
    declared = source(folder, "hf_dataset", mapping=mapping or {"prompt": "text", "response": "label"}, **fields)
    with open_content(declared, folder) as file:
        return list(hf_dataset_reader.read_rows(io.BytesIO(file.read()), declared))


def values(folder: Path, mapping: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [row.values for row in read(folder, mapping) if isinstance(row, Row)]


def arrow(table: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(**how)) as stream:
        stream.write_table(table)
    return out.getvalue()


def plain(text: pa.Array) -> pa.Table:
    return pa.table({"text": text, "label": pa.array([0] * len(text))})


def test_a_saved_dataset_becomes_records(run: Run) -> None:
    shutil.copytree(WRITTEN, run.root / "saved")
    mapping = {"messages": "turns", "split": "split", "effective_from": "day"}
    run.resolve(source("saved", "hf_dataset", mapping=mapping))
    result = ingest.run(params(), run.layout)
    records = run.records_of("ingest")
    assert (result.counts.rows, [record["split"] for record in records]) == (7, ["train"] * 5 + ["test"] * 2)
    assert (
        records[5]["messages"][0]["content"] == "test question 0" and str(records[1]["effective_from"]) == "2026-01-02"
    )


def test_a_split_is_read_alone_with_the_names_of_its_classes(saved: Path) -> None:
    rows = read(saved / "train")
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row["label"] for row in values(saved / "train")] == ["lost", "found", "lost", "found", "lost"]


def test_files_of_the_hub_are_read_by_split(tmp_path: Path) -> None:
    for number in range(2):
        path = tmp_path / "data" / f"train-0000{number}-of-00002.parquet"
        path.parent.mkdir(exist_ok=True)
        described = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}}}
        table = pa.table({"text": [f"letter {number}"], "label": [number]})
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(described)}), path)
    shutil.copy(path, path.with_name("test.parquet"))
    mapping = {"prompt": "text", "response": "label", "split": "split"}
    assert [(row["split"], row["text"], row["label"]) for row in values(tmp_path, mapping)] == [
        ("test", "letter 1", "b"), ("train", "letter 0", "a"), ("train", "letter 1", "b"),
    ]  # fmt: skip
    assert [row.number for row in read(tmp_path, mapping)] == [1, 2, 3]
    path.unlink()
    with pytest.raises(InputError, match="file 1 of 2 of split 'train' is missing"):
        read(tmp_path, mapping)


MISFIT: dict[tuple[str, ...], str] = {
    ("data/train-00000-of-00003", "data/train-00002-of-00003"): "file 1 of 3 of split 'train' is missing",
    ("train", "train-extra"): "'train-extra.parquet' is not named like a file of a split",
    ("train", "en/train"): "'en/train.parquet' is not named like a file of a split",
    ("train", "data/train"): "files that do not belong together, such as 'data/train.parquet' and 'train.parquet'",
    ("train-00000-of-00001", "train-00000-of-00002", "train-00001-of-00002"): "files that do not belong together",
    ("train-00000-of-00001", "train-00001-of-00001"): "files that do not belong together",
}


def test_every_parquet_file_of_a_folder_is_read_or_told(tmp_path: Path) -> None:
    for place, (names, told) in enumerate(MISFIT.items()):
        for name in names:
            path = tmp_path / str(place) / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"text": [name], "label": ["a"]}), path)
        with pytest.raises(InputError, match=told):
            pytest.fail(f"{told}: {values(tmp_path / str(place))}")


def replace_shard(data: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / SHARD).write_bytes(data((folder / SHARD).read_bytes()))


def state(**fields: Any) -> Callable[[Path], object]:
    return lambda folder: (folder / "train/state.json").write_text(json.dumps(fields))


def files(*names: Any) -> Callable[[Path], object]:
    return state(_data_files=[{"filename": name} for name in names])


def huge_metadata(data: bytes) -> bytes:
    return struct.pack("<Ii", 0xFFFFFFFF, 2**31 - 1) + data[8:]


def bad_offsets(data: bytes) -> bytes:
    """A stream whose texts end outside their buffer."""
    place = data.rindex(struct.pack("<iii", 0, 33, 66))
    return data[:place] + struct.pack("<iii", 0, 33, 2**30) + data[place + 12 :]


def many(kind: pa.DataType | None = None) -> Callable[[bytes], bytes]:
    long = repeated("x" * 7_000_000, 1_000)
    return lambda _: arrow(plain(long if kind is None else pa.array(["a"]).cast(kind)))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a shard that is gone": (lambda folder: (folder / SHARD).unlink(), "state.json names .* which is not there"),
    "a split that is gone": (lambda folder: shutil.rmtree(folder / "test"), "names 'test/state.json', which is not"),
    "no dataset": (lambda folder: (folder / "dataset_dict.json").unlink(), "has no state.json, dataset_dict.json"),
    "a name with ..": (files("../../../secret.arrow"), "it names a file outside its folder"),
    "an absolute name": (files("/etc/passwd"), "it names a file outside its folder"),
    "a name that is none": (files(7), "it names a file outside its folder"),
    "a shard twice": (files(*["data-00000-of-00002.arrow"] * 2), "it names a file twice"),
    "no list of shards": (state(_data_files="x"), "does not list its files"),
    "indices": (state(_indices_data_files=[{}]), "an old version of `datasets`"),
    "state without JSON": (lambda folder: (folder / "train/state.json").write_text("{"), "it is no JSON"),
    "much JSON": (lambda folder: (folder / "train/state.json").write_text("[" + "0," * 2**20), "it is no JSON"),
    "a list for an object": (lambda folder: (folder / "train/state.json").write_text("[]"), "it is no JSON object"),
    "truncated": (replace_shard(lambda data: data[:-400]), "does not end with the end of a stream"),
    "without its last message": (replace_shard(lambda data: data[:-8]), "does not end with the end of a stream"),
    "empty shard": (replace_shard(lambda data: b""), "does not end with the end of a stream"),
    "no stream": (replace_shard(lambda data: b"ARROW1\0\0" + data), "a message does not begin where one should"),
    "huge metadata": (replace_shard(huge_metadata), "a message with 2,147,483,647 bytes of metadata"),
    "damaged metadata": (replace_shard(lambda data: data[:8] + b"\xff" * 16 + data[24:]), "is a damaged Arrow stream"),
    "damaged offsets": (replace_shard(bad_offsets), r"is a damaged Arrow stream \(ArrowInvalid\)"),
    "compressed": (replace_shard(lambda data: arrow(plain(pa.array(["a"])), compression="zstd")), "it is compressed"),
    "a dictionary bomb": (replace_shard(many()), "max_unpacked_bytes"),
    "views": (replace_shard(many(pa.string_view())), "'text' is of type string_view, which is not read"),
    "runs": (replace_shard(lambda data: arrow(plain(pa.RunEndEncodedArray.from_arrays([9**5], ["x"])))),
             "'text' is of type run_end_encoded"),
    "many nulls": (replace_shard(lambda data: arrow(plain(nulls(20_000_000)))), "max_unpacked_bytes"),
    "many rows": (replace_shard(lambda data: arrow(pa.table({"text": pa.nulls(3_000_000)}))), "max_rows"),
    "another column": (replace_shard(lambda data: arrow(pa.table({"texts": ["a"], "label": [1]}))), "no column 'text'"),
    "a class without a name": (replace_shard(lambda data: arrow(pa.table({"text": ["a"], "label": [9]}))),
                               "row 1 has class 9"),
}  # fmt: skip


@pytest.mark.attack(rights="approver", stopped="a dataset's folder is checked before Arrow reads it")
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_folder_is_told(wrong: str, saved: Path) -> None:
    change, told = WRONG[wrong]
    change(saved)
    with pytest.raises(InputError, match=told) as caught:
        read(saved)
    assert str(caught.value).startswith(f"source src: {saved}")


@pytest.mark.attack(rights="approver", stopped="a dataset's folder is checked before Arrow reads it")
def test_no_byte_of_a_stream_crashes_the_reader(saved: Path) -> None:
    """Every 16th byte is set to its largest value."""
    whole = (saved / SHARD).read_bytes()
    told = 0
    for place in range(0, len(whole), 16):
        (saved / SHARD).write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            read(saved / "train")
        except InputError as error:
            told += 1
            assert str(saved) in str(error)
    assert told > 20


@pytest.mark.attack(rights="approver", stopped="a dataset's folder is checked before Arrow reads it")
def test_columns_are_read_of_a_stream_that_is_checked(saved: Path) -> None:
    declared = source(saved, "hf_dataset")

    def columns() -> list[str]:
        with open_content(declared, saved) as file:
            return list(hf_dataset_reader.column_names(io.BytesIO(file.read()), declared))

    whole, before = columns(), (saved / SHARD).read_bytes()
    assert whole[-1] == "split" and {"text", "label"} <= set(whole)
    for wrong in ("huge metadata", "no stream", "empty shard", "damaged metadata"):
        change, told = WRONG[wrong]
        (saved / SHARD).write_bytes(before)
        change(saved)
        with pytest.raises(InputError, match=told) as caught:
            columns()
        assert str(caught.value).startswith(f"source src: {saved}: '{SHARD}' is a damaged Arrow stream")


def test_a_file_is_no_dataset(saved: Path) -> None:
    with pytest.raises(InputError, match="is a file; give the folder that save_to_disk wrote"):
        read(saved / SHARD)


def test_a_date_that_python_has_not_is_told_of_its_row(saved: Path) -> None:
    days = pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32())
    (saved / SHARD).write_bytes(arrow(pa.table({"text": ["a", "b"], "label": [0, 1], "day": days})))
    rows = read(saved / "train", {"prompt": "text", "response": "label", "effective_from": "day"})
    assert isinstance(rows[1], MalformedRow) and (rows[1].number, rows[1].rule) == (2, "out_of_range")
