"""Kinds of places in which something about a person can be. A decision is about one kind."""

from datetime import date
from pathlib import PurePath
from typing import Literal, NamedTuple, get_args

from tasks.core.layout import EXPERIMENTS_FOLDER

Kind = Literal[
    "source", "vault", "index", "source-cache", "runs", "cache", "remote", "checkpoints", "tracking", "releases",
    "audits", "ledger", "backups", "other",
]  # fmt: skip
Verb = Literal["delete", "keep", "retrain"]
DELETE, KEEP, RETRAIN = get_args(Verb)
ENDLESS_KIND: Kind = "ledger"
"""Kind that is kept without an end, because nothing can be removed from it."""
OTHER: Kind = "other"


class PlaceKind(NamedTuple):
    name: Kind
    label: str
    verbs: tuple[Verb, ...] = (DELETE, KEEP)
    """Decisions that are possible about the kind."""
    folders: tuple[str, ...] = ()
    """First names of paths below `.hallmark` that are places of the kind."""

    def allows(self, verb: Verb, until: date | None) -> bool:
        """Return whether a decision with this verb and day is possible about the kind."""
        has_day = until is None if verb == DELETE else until is not None or self.name == ENDLESS_KIND
        return verb in self.verbs and has_day


PLACE_KINDS: tuple[PlaceKind, ...] = (
    PlaceKind("source", "rows of the sources, which their owners take out"),
    PlaceKind("vault", "values in the vault", folders=("vault", "vault.db")),
    PlaceKind("index", "index of lineage", folders=("lineage.db", "lineage")),
    PlaceKind("source-cache", "tables of sources that `ingest` keeps", folders=("ingested",)),
    PlaceKind("runs", "files of runs: datasets, quarantine, predictions, reports", folders=("runs",)),
    PlaceKind("remote", "outputs in DVC's remote"),
    PlaceKind("cache", "outputs in DVC's cache, stage records, kept answers", folders=("cache", "records", "answers")),
    PlaceKind("checkpoints", "checkpoints of trainings", folders=("checkpoints",)),
    PlaceKind("tracking", "records of runs in MLflow", folders=("mlflow",)),
    PlaceKind("releases", "releases trained on a record", (DELETE, KEEP, RETRAIN), ("releases", "bases")),
    PlaceKind("audits", "dossiers", folders=("audits",)),
    PlaceKind("ledger", "entries of the ledger, which is append-only", (KEEP,), ("ledger.db", "heads")),
    PlaceKind("backups", "backups, which Hallmark cannot reach", (KEEP,)),
    PlaceKind(OTHER, "other files below .hallmark, and outputs of stages that somebody ran by hand"),
)
"""Kinds of places in the order in which an execution treats them."""
KINDS: dict[str, PlaceKind] = {kind.name: kind for kind in PLACE_KINDS}
ALWAYS_DECIDED: tuple[Kind, ...] = ("ledger", "backups")
"""Kinds that need a decision in every erasure, because Hallmark cannot know that nothing is there."""


def kind_of_path(path: PurePath) -> Kind:
    """Return the kind of a file.

    Args:
        path: Path of the file relative to `.hallmark`.
    """
    first, *rest = path.parts
    if first == EXPERIMENTS_FOLDER and rest:
        return kind_of_path(PurePath(*rest))
    bare = first.removesuffix("-wal").removesuffix("-shm")
    return next((kind.name for kind in PLACE_KINDS if bare in kind.folders), OTHER)
