"""Comparison of the ledger entries in a dossier with their inclusion proofs."""

from tasks.core.json_text import parse_bounded
from tasks.ledger import entry as ledger_entry
from tasks.ledger import proof as ledger_proof
from tasks.ledger.ledger import Entry
from tasks.ledger.proof import InclusionProof


def parse_proof(data: bytes) -> InclusionProof:
    """Parse the inclusion proof in a file of a dossier.

    Raises:
        ValueError: The file contains another kind of proof.
        Refused: The file contains no proof.
    """
    proof = ledger_proof.parse_proof(parse_bounded(data, ledger_proof.MAX_JSON_VALUES))
    if not isinstance(proof, InclusionProof):
        raise ValueError("it proves something else than that an entry is in the ledger")
    return proof


def proof_matches_entry(proof: InclusionProof, entry: Entry) -> bool:
    return ledger_entry.entry_from_row(proof.entry.row) == entry
