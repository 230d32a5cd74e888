"""Artifacts of a dossier: files of the release and ledger entries, collected when a claim refers to them."""

from collections.abc import Callable
from pathlib import Path

from tasks.audit.dossier import Artifact
from tasks.audit.entry_proofs import matches, parse_proof
from tasks.core import files
from tasks.core.errors import HallmarkError
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Entry

RELEASE, LEDGER, GOVERNANCE = "release", "ledger", "governance"


class Artifacts:
    def __init__(self, folder: Path, prove: Callable[[int], bytes]) -> None:
        """Create an empty collection for the release in `folder`.

        Args:
            folder: Folder of the release.
            prove: Function that returns the proof that an entry is under a signed head, or raises HallmarkError.
        """
        self._folder, self._prove = folder, prove
        self.contents: dict[str, bytes] = {}
        """Content of the artifacts that are not release files, by path in the archive."""
        self.unproven: set[int] = set()
        self.proof_error = ""
        self.mismatched: set[int] = set()
        """Numbers of the ledger entries that differ from the entry in their proof."""

    def file(self, name: str, title: str = "") -> Artifact:
        return Artifact(path=f"{RELEASE}/{name}", title=title or name, sha256=files.sha256_file(self._folder / name))

    def entry(self, entry: Entry) -> Artifact:
        """Add a ledger entry and its proof, and return the entry as an artifact."""
        path = f"{LEDGER}/{entry.seq:06}.json"
        data = canonical_json(entry.model_dump(mode="json"))
        self.contents[path] = data
        proof = f"{LEDGER}/{entry.seq:06}.proof.json"
        if proof not in self.contents and entry.seq not in self.unproven:
            try:
                made = self._prove(entry.seq)
                if not matches(parse_proof(made), entry):
                    self.mismatched.add(entry.seq)
                self.contents[proof] = made
            except HallmarkError as error:
                self.unproven.add(entry.seq)
                self.proof_error = str(error)
        return Artifact(
            path=path,
            title=f"ledger entry {entry.seq}, {entry.kind}",
            sha256=files.sha256_bytes(data),
            proof=proof if proof in self.contents else None,
        )
