"""Artifacts of a dossier: files of the release and ledger entries, collected when a claim refers to them."""

from collections.abc import Callable
from pathlib import Path

from tasks.audit.dossier import Artifact
from tasks.audit.entry_proofs import parse_proof, proof_matches_entry
from tasks.core import files
from tasks.core.errors import HallmarkError
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Entry

RELEASE_FOLDER, LEDGER_FOLDER, GOVERNANCE_FOLDER = "release", "ledger", "governance"


class ArtifactCollection:
    def __init__(self, folder: Path, make_proof: Callable[[int], bytes]) -> None:
        """Create an empty collection for the release in `folder`.

        Args:
            folder: Folder of the release.
            make_proof: Function that takes the number of a ledger entry and returns its inclusion proof. It raises
                HallmarkError if no signed head covers the entry.
        """
        self._folder, self._prove = folder, make_proof
        self.contents_by_path: dict[str, bytes] = {}
        """Content of the artifacts that are not release files, by path in the archive."""
        self.unproven_entries: set[int] = set()
        self.proof_error = ""
        self.mismatched_entries: set[int] = set()
        """Numbers of the ledger entries that differ from the entry in their proof."""

    def file_artifact(self, name: str, title: str = "") -> Artifact:
        return Artifact(
            path=f"{RELEASE_FOLDER}/{name}", title=title or name, sha256=files.sha256_file(self._folder / name)
        )

    def add_entry(self, entry: Entry) -> Artifact:
        """Add a ledger entry and its proof, and return the entry as an artifact."""
        path = f"{LEDGER_FOLDER}/{entry.seq:06}.json"
        data = canonical_json(entry.model_dump(mode="json"))
        self.contents_by_path[path] = data
        proof = f"{LEDGER_FOLDER}/{entry.seq:06}.proof.json"
        if proof not in self.contents_by_path and entry.seq not in self.unproven_entries:
            try:
                made = self._prove(entry.seq)
                if not proof_matches_entry(parse_proof(made), entry):
                    self.mismatched_entries.add(entry.seq)
                self.contents_by_path[proof] = made
            except HallmarkError as error:
                self.unproven_entries.add(entry.seq)
                self.proof_error = str(error)
        return Artifact(
            path=path,
            title=f"ledger entry {entry.seq}, {entry.kind}",
            sha256=files.sha256_bytes(data),
            proof=proof if proof in self.contents_by_path else None,
        )
