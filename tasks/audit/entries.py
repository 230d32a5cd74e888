"""Whether an entry of the ledger that a dossier shows is the very one that its proof is about."""

from tasks.core.files import json_of_others
from tasks.ledger import entry as ledger_entry
from tasks.ledger import proof as ledger_proof
from tasks.ledger.ledger import Entry
from tasks.ledger.proof import Inclusion


def parse_proof(data: bytes) -> Inclusion:
    """The proof in a file of a dossier. Raises ValueError or Refused if it is none that an entry is in the ledger."""
    proof = ledger_proof.parse(json_of_others(data, ledger_proof.PIECES))
    if not isinstance(proof, Inclusion):
        raise ValueError("it proves something else than that an entry is in the ledger")
    return proof


def is_about(proof: Inclusion, entry: Entry) -> bool:
    """Whether number, time, kind, subject and body are those that the proof leads to a signed head."""
    return ledger_entry.read(proof.entry.row) == entry
