"""Plan of an erasure: the places with something about the person, by kind. Making it changes nothing."""

from pathlib import Path
from typing import NamedTuple

from tasks.cleanup import tracked_runs
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.erase import affected_runs, checkpoints, remote_outputs
from tasks.erase.places import Places
from tasks.erase.subject import Subject, SubjectRecord, worlds
from tasks.inquiry import access_entries
from tasks.ledger.ledger import Ledger
from tasks.registry.promote import releases
from tasks.runs.checkout import Checkout
from tasks.sources.vault import open_vault
from tasks.suppression.place_kinds import ALWAYS_DECIDED, KINDS, Kind


class ErasurePlan(NamedTuple):
    subject: Subject
    """Person, with all records, runs and datasets that are known now."""
    places: dict[Kind, Places]
    """Places by kind. Kinds without any are left out."""
    releases: dict[str, str]
    """Digest of the dataset by release that was trained or tested on it."""
    unreadable_releases: list[str]
    """Releases whose training data cannot be read on this machine."""

    @property
    def to_decide(self) -> list[Kind]:
        """Kinds that need a decision, in the order of an execution."""
        return [name for name in KINDS if name in self.places or name in ALWAYS_DECIDED]


def make_plan(here: Checkout, known: Subject) -> ErasurePlan:
    """Find all places with something about a person.

    Args:
        here: Checkout.
        known: Person as in the vault. Runs and datasets that an interrupted execution found are kept.
    """
    state = here.state
    found = affected_runs.find_affected(state, known.tokens, known.record_keys)
    records = {each.record: each for each in known.records} | found.records
    subject = known.model_copy(
        update={
            "records": sorted(records.values(), key=lambda each: (each.source_id, each.row, each.record)),
            "runs": sorted({*known.runs, *found.runs}),
            "datasets": sorted({*known.datasets, *found.datasets}),
        }
    )
    by_dataset = releases.releases_by_dataset(here.ledger, here.governance)
    trained = {label: sha256 for sha256 in subject.datasets for label in by_dataset.by_name.get(sha256, [])}
    places = {
        "source": _source_places(subject.records),
        "vault": _vault_places(state, subject.tokens),
        "index": Places(found.index_rows, f"rows of {len(found.datasets):,} datasets"),
        "source-cache": _folders(source_cache_folders(state, subject), state),
        "runs": Places.of("run", subject.runs),
        "remote": remote_outputs.find_places(here.root, subject),
        "cache": Places(len(subject.runs), f"what {len(subject.runs):,} runs alone put there"),
        "checkpoints": _folders(checkpoints.find_folders(here.state, subject.runs), state),
        "tracking": Places(len(subject.runs) * tracked_runs.may_have_records(here.root), "records of these runs"),
        "releases": Places.of("release", sorted(trained)),
        "audits": _folders([path for label in trained if (path := state / "audits" / label).exists()], state),
        "ledger": _ledger_places(here.ledger, subject.tokens),
    }
    kept: dict[Kind, Places] = {kind: each for kind, each in places.items() if each and each.number}  # type: ignore[misc]
    return ErasurePlan(subject, kept, trained, by_dataset.unreadable)


def source_cache_folders(state: Path, subject: Subject) -> list[Path]:
    """Return the folders in which `ingest` keeps tables of the person's sources."""
    sources = sorted({each.source_id for each in subject.records})
    homes = (state / "ingested", state / EXPERIMENTS_FOLDER / "ingested")
    return [path for home in homes for source in sources for path in sorted(home.glob(f"*/{source}")) if path.is_dir()]


def _source_places(records: list[SubjectRecord]) -> Places:
    rows = sorted({(each.source_id, each.row) for each in records})
    return Places.of("row", [f"{source}:{row}" for source, row in rows])


def _vault_places(state: Path, tokens: list[str]) -> Places:
    count = sum(len(tokens) - len(open_vault(world).find_missing_tokens(tokens)) for world in worlds(state))
    return Places(count, "encrypted values")


def _ledger_places(ledger: Ledger, tokens: list[str]) -> Places:
    own = set(tokens)
    looks = [
        entry.seq
        for kind in (access_entries.PERSON_SOUGHT, access_entries.TOKENS_READ)
        for entry in ledger.readable_entries(kind)
        if own & set(entry.body.get("tokens") or ())
    ]
    return Places.of("look-up in entry", list(map(str, looks)))


def _folders(paths: list[Path], state: Path) -> Places:
    return Places.of("folder", [path.relative_to(state).as_posix() for path in paths])
