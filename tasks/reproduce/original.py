"""Original of a reproduction, with the digest and the record of each stage.

It is a release, or a run with a package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.graph import STAGES
from tasks.core.payload import manifest
from tasks.gates import record_chain
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote.releases import Release
from tasks.registry.release import bundle
from tasks.registry.verify import verification
from tasks.trust import dsse, stage_record
from tasks.trust.stage_record import SignedRecord


@dataclass(frozen=True)
class Original:
    label: str
    run: str
    commit: str
    digests: Mapping[str, str]
    """Digest of each stage's output, by folder. The value for `package` is the digest of the payload."""
    records: Mapping[str, SignedRecord]
    """Stage records, by the stage's name in DVC; empty if the release is from a version of Hallmark without stage
    records."""
    release: Release | None = None

    @staticmethod
    def from_release(release: Release, governance: Governance) -> "Original":
        """Create the original from a release.

        Raises:
            Refused: The release is not valid.
        """
        folder = Path(release.bundle)
        verification.require_valid_release(folder, governance)
        wanted = manifest.read_manifest(folder / bundle.PAYLOAD).stages | {"package": release.payload_sha256}
        paths = sorted((folder / bundle.STAGE_RECORDS).glob("*.json"))
        records = (stage_record.parse_unverified_record(dsse.read_envelope(path)) for path in paths)
        named = {record.record.name: record for record in records}
        return Original(release.label, release.run, release.commit, wanted, named, release)

    @staticmethod
    def from_run(run: str, commit: str, ledger: Ledger, governance: Governance) -> "Original":
        """Create the original from a run.

        Raises:
            Refused: The run has not finished stage `package`.
        """
        records = record_chain.records_of_run(ledger, governance, run)
        folders = {
            folder: records.get(folder.replace("/", "@"))
            for stage in STAGES.values()
            for folder in stage.output_folders
        }
        if absent := sorted(folder for folder, record in folders.items() if record is None):
            raise Refused(f"run {run} has not gone as far as its package: it has no record of {', '.join(absent)}")
        outputs = {folder: record.outputs for folder, record in folders.items() if record}
        wanted = {
            folder: stage_record.digest_of_path(compared_path(folder), files) or "" for folder, files in outputs.items()
        }
        return Original(run, run, commit, wanted, records)


def compared_path(folder: str) -> str:
    return f"artefacts/{folder}/{bundle.PAYLOAD}" if folder == "package" else f"artefacts/{folder}"
