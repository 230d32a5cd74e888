"""What is built again: a release, or a run whose package is made, with the digest and the record of each stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.graph import STAGES
from tasks.core.payload import manifest
from tasks.gates import chain
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote.releases import Release
from tasks.registry.release import bundle
from tasks.registry.verify import verification
from tasks.trust import dsse, stage_record
from tasks.trust.stage_record import SignedRecord


@dataclass(frozen=True)
class Original:
    """What is built again."""

    label: str
    """Of the release, or the run's id."""
    run: str
    commit: str
    wanted: Mapping[str, str]
    """By the folder of a stage, the digest of what it left; of `package`, the payload's."""
    records: Mapping[str, SignedRecord]
    """By the name that DVC knows; none of a release of before there were any."""
    release: Release | None = None

    @staticmethod
    def of_release(release: Release, governance: Governance) -> "Original":
        """Raises Refused for a release that does not verify."""
        folder = Path(release.bundle)
        verification.require(folder, governance)
        wanted = manifest.read(folder / bundle.PAYLOAD).stages | {"package": release.payload_sha256}
        paths = sorted((folder / bundle.STAGES).glob("*.json"))
        records = (stage_record.unverified(dsse.read(path)) for path in paths)
        named = {record.said.name: record for record in records}
        return Original(release.label, release.run, release.commit, wanted, named, release)

    @staticmethod
    def of_run(run: str, commit: str, ledger: Ledger, governance: Governance) -> "Original":
        """Raises Refused for a run that has not gone as far as its package."""
        records = chain.of_run(ledger, governance, run)
        folders = {
            folder: records.get(folder.replace("/", "@")) for stage in STAGES.values() for folder in stage.folders
        }
        if absent := sorted(folder for folder, record in folders.items() if record is None):
            raise Refused(f"run {run} has not gone as far as its package: it has no record of {', '.join(absent)}")
        left = {folder: record.left for folder, record in folders.items() if record}
        wanted = {folder: stage_record.below(place(folder), files) or "" for folder, files in left.items()}
        return Original(run, run, commit, wanted, records)


def place(folder: str) -> str:
    """Where that lies which stands for a stage's output, from the root of a run."""
    return f"artefacts/{folder}/{bundle.PAYLOAD}" if folder == "package" else f"artefacts/{folder}"
