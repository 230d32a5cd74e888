"""The files of the index: one folder for each dataset, named by the digest of `artefacts/split`.

Records that a stage put aside are in it too, as ASIDE, and those that were not drawn: a run keeps them, though no model
was trained on them. A record is known by the first 16 of its id's hex digits, a subject by 16 digits of its token's
SHA-256; both are kept sorted and searched on the disk, 20 looks for a million, so a hundred datasets take no longer to
ask than to open.

    about.json     `Dataset`
    records.npy    uint64, sorted                  sides.npy, sources.npy, rows.npy   of the same records
    subjects.npy   uint64, sorted, one a mention   about.npy                          the record of each mention
    runs/          an empty file for each run that made it, named by its id

sides.npy and sources.npy hold places in lists of about.json: a list keeps its order in JSON, the keys of an object do
not. The first form had an object of sources, written with sorted keys, while sources.npy counted in the order of
sources.yaml, so that its answers named other sources than the records came from. Such an index is never read, only
written anew.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tasks.core.config import Frozen
from tasks.core.errors import Unavailable
from tasks.core.files import read_json, sha256_bytes
from tasks.core.params.values import Sha256
from tasks.sources.dataset import SIDES

Keys = npt.NDArray[np.uint64]
ASIDE = "put aside"
"""Of a record that a stage took out."""
NOT_DRAWN = "not drawn"
"""Of a record that nothing is wrong with: the parameters asked for fewer."""
VERSION: Literal[2] = 2
ABOUT = "about.json"


class Read(Frozen):
    """A source as it was read."""

    id: str
    sha256: Sha256
    """Of its content."""
    owner: str
    steward: str


class Dataset(Frozen):
    """about.json"""

    version: Literal[2] = VERSION
    sha256: Sha256
    """`tasks.core.files.tree_digest` of artefacts/split, the subject of the data gate."""
    use_case: str
    sources: tuple[Read, ...]
    """As inputs/sources.json had them. sources.npy holds places in this list."""
    sides: tuple[str, ...] = (*SIDES, ASIDE, NOT_DRAWN)
    """sides.npy holds places in this list."""
    rows: dict[str, int]
    """By side, also those on none."""

    @property
    def digests(self) -> dict[str, Sha256]:
        """Of what was read, by source."""
        return {source.id: source.sha256 for source in self.sources}


def folder(state: Path) -> Path:
    return state / "lineage"


def paths(state: Path) -> list[Path]:
    """The folder of every dataset that was indexed, sorted. A name with a dot first is an index never finished."""
    return [path.parent for path in sorted(folder(state).glob(f"[!.]*/{ABOUT}"))]


def is_old(path: Path) -> bool:
    """Whether an earlier version wrote the index in this folder."""
    return bool(read_json(path / ABOUT).get("version") != VERSION)


def about(path: Path) -> Dataset:
    """What the index in this folder says of itself. Raises Unavailable for one that an earlier version wrote."""
    if is_old(path):
        runs = ", ".join(sorted(run.name for run in (path / "runs").glob("*"))) or "none"
        raise Unavailable(
            f"{path}: an earlier version of Hallmark wrote this index, and it names wrong sources. It is written anew "
            f"from artefacts/ingest and artefacts/split of a run that made the dataset ({runs}), and no run here has "
            "them any more: bring them back (`dvc pull` in .hallmark/runs/RUN), or delete the folder, whose dataset is "
            "then not looked in"
        )
    return Dataset.model_validate(read_json(path / ABOUT))


def load(state: Path, dataset: Dataset, name: str) -> npt.NDArray[Any]:
    loaded: npt.NDArray[Any] = np.load(folder(state) / dataset.sha256 / f"{name}.npy", mmap_mode="r")
    return loaded


def subject_key(token: str) -> int:
    return int(sha256_bytes(token.encode())[:16], 16)


def record_key(record_id: str) -> int:
    return int(record_id[:16], 16)
