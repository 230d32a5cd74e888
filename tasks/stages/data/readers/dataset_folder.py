"""Folder of a Hugging Face dataset: its splits, and the files of each, in order.

`Dataset.save_to_disk` writes state.json, which names files in Arrow's format. `DatasetDict.save_to_disk` writes
dataset_dict.json, which names a folder of this kind for each split. A dataset on the Hub has files in Parquet, which
are named for their splits.
"""

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

import pyarrow as pa

from tasks.core import json_text
from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers.documents import is_archive, iter_documents
from tasks.stages.data.readers.folder_stream import has_suffix

PARQUET_SUFFIX = ".parquet"
SUFFIXES = (".arrow", ".json", PARQUET_SUFFIX)
DICT_FILE, STATE_FILE, INFO_FILE = "dataset_dict.json", "state.json", "dataset_info.json"
MAX_JSON_BYTES, MAX_JSON_PIECES = 16 << 20, 1_000_000
"""Maximum size of a JSON file of the folder, in bytes and in values."""
MAX_MEMORY_BYTES = 64 << 20
"""Maximum size in bytes of a folder that is read into memory. A larger one is mapped."""
HUB_FILE = re.compile(r"(?:data/)?(?P<split>[\w.]+?)(?:-(?P<number>\d{5})-of-(?P<count>\d{5}))?\.parquet")
"""Pattern of the name of a Parquet file on the Hub, such as `data/train-00000-of-00002.parquet`."""


class DatasetSplit(NamedTuple):
    name: str | None
    """Name of the split; None if the folder is a single split."""
    files: list[str]
    """Names of the files with its rows, in order."""
    class_names: Mapping[str, list[str]]
    """Names of the classes of each column that has numbers of classes (`ClassLabel`)."""


class DatasetFolder:
    """Files of a folder, by their names."""

    def __init__(self, file: IO[bytes], source: Source) -> None:
        self._where, self._source = f"source {source.id}: {source.location}", source
        if not is_archive(file):
            list(iter_documents(file, source, SUFFIXES))  # raises the error of an empty file
            raise InputError(f"{self._where} is a file; give the folder that save_to_disk wrote, or one of its splits")
        self._places = {each.name: (each.offset, each.size) for each in iter_documents(file, source, SUFFIXES)}
        self._data = _map_content(file)

    def content(self, name: str) -> pa.Buffer:
        offset, size = self._places[name]
        return self._data.slice(offset, size)

    def splits(self) -> Iterator[DatasetSplit]:
        """Yield the splits in the order in which the folder names them.

        Raises:
            InputError: The folder is no dataset, or lacks a file of it.
        """
        if DICT_FILE in self._places:
            names = self._read_json(DICT_FILE).get("splits")
            if not isinstance(names, list) or not names:
                raise self._damaged_error(DICT_FILE, "it names no splits")
            for name in names:
                yield self._saved_split(self._plain_name(name, DICT_FILE), f"{name}/")
        elif STATE_FILE in self._places:
            yield self._saved_split(None, "")
        elif names := sorted(name for name in self._places if has_suffix(name, (PARQUET_SUFFIX,))):
            yield from self._hub_splits(names)
        else:
            raise InputError(
                f"{self._where} has no {STATE_FILE}, {DICT_FILE} or Parquet file of a split; give the folder that "
                "save_to_disk wrote"
            )

    def _saved_split(self, split: str | None, folder: str) -> DatasetSplit:
        state = self._read_json(folder + STATE_FILE)
        if state.get("_indices_data_files"):
            raise InputError(f"{self._where}: an old version of `datasets` wrote {folder}{STATE_FILE}; save it anew")
        listed = state.get("_data_files")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise self._damaged_error(folder + STATE_FILE, "it does not list its files in `_data_files`")
        files = [folder + self._plain_name(each.get("filename"), folder + STATE_FILE) for each in listed]
        for name in files:
            self._require(name, folder + STATE_FILE)
        if len(set(files)) != len(files):
            raise self._damaged_error(folder + STATE_FILE, "it names a file twice")
        return DatasetSplit(split, files, self._class_names(folder + INFO_FILE))

    def _hub_splits(self, names: list[str]) -> Iterator[DatasetSplit]:
        splits: dict[str, list[re.Match[str]]] = {}
        for name in names:
            match = HUB_FILE.fullmatch(name)
            if not match:
                raise InputError(
                    f"{self._where}: {name!r} is not named like a file of a split, such as train.parquet or "
                    "data/train-00000-of-00002.parquet; give the folder of one configuration, or take the file out"
                )
            splits.setdefault(match["split"], []).append(match)
        for split, files in splits.items():
            self._require_whole_split(split, files)
            yield DatasetSplit(split, [match[0] for match in files], {})

    def _require_whole_split(self, split: str, files: list[re.Match[str]]) -> None:
        numbers, count = {match["number"] for match in files}, int(files[0]["count"] or 0)
        wanted = [f"{number:05}" for number in range(count)] if files[0]["count"] else [None]
        if len({match["count"] for match in files}) > 1 or len(numbers) < len(files) or numbers - set(wanted):
            named = f"{files[0][0]!r} and {files[-1][0]!r}"
            raise InputError(f"{self._where}: split {split!r} has files that do not belong together, such as {named}")
        for number in wanted:
            if number not in numbers:
                raise InputError(f"{self._where}: file {int(number or 0)} of {count:,} of split {split!r} is missing")

    def _class_names(self, name: str) -> dict[str, list[str]]:
        return find_class_names(self._read_json(name) if name in self._places else {})

    def _read_json(self, name: str) -> dict[str, Any]:
        self._require(name, DICT_FILE)
        content = self.content(name)
        if content.size > MAX_JSON_BYTES:
            raise self._damaged_error(name, f"it has {content.size:,} bytes, and {MAX_JSON_BYTES:,} are read")
        try:
            value = json_text.parse_bounded(content.to_pybytes(), MAX_JSON_PIECES)
        except ValueError:
            raise self._damaged_error(name, "it is no JSON, or too much") from None
        if not isinstance(value, dict):
            raise self._damaged_error(name, "it is no JSON object")
        return value

    def _require(self, name: str, named_by: str) -> None:
        if name not in self._places:
            raise InputError(f"{self._where}: {named_by} names {name!r}, which is not there; fetch the folder again")

    def _plain_name(self, name: object, named_by: str) -> str:
        if not isinstance(name, str) or name in ("", ".", "..") or PurePosixPath(name).name != name:
            raise self._damaged_error(named_by, "it names a file outside its folder")
        return name

    def _damaged_error(self, name: str, why: str) -> InputError:
        return InputError(f"{self._where}: {name} cannot be used: {why}; fetch the folder again")


def find_class_names(info: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the classes of each column that has numbers of classes.

    Args:
        info: Description of a dataset, as dataset_info.json and the metadata of files on the Hub have it.
    """
    features = info.get("features")
    return {
        column: feature["names"]
        for column, feature in (features if isinstance(features, dict) else {}).items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and _is_list_of_texts(feature)
    }


def _is_list_of_texts(feature: Mapping[str, Any]) -> bool:
    names = feature.get("names")
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _map_content(file: IO[bytes]) -> pa.Buffer:
    size = file.seek(0, 2)
    file.seek(0)
    if size <= MAX_MEMORY_BYTES:
        return pa.py_buffer(file.read())
    return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
