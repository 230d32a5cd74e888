"""Proofs about the ledger, which anybody can verify with only the ledger's public key.

An inclusion proof shows that an entry is covered by a signed head. A consistency proof shows that the entries covered
by an older head are the first entries covered by a newer one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, TypeAdapter, ValidationError

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_bounded
from tasks.core.json_text import parse_bounded
from tasks.core.params.values import Sha256
from tasks.ledger import attachments
from tasks.ledger import entry as ledger_entry
from tasks.ledger.entry import Row
from tasks.ledger.heads import heads, publication
from tasks.ledger.ledger import Ledger
from tasks.ledger.roots import LedgerRoots
from tasks.ledger.tree import merkle
from tasks.trust import dsse, keys
from tasks.trust.ledger_keys import LedgerKeys
from tasks.trust.validity import Key

MAX_PROOF_BYTES = 2 * attachments.MAX_DOCUMENT_BYTES
"""Maximum size of a proof's file in bytes. Most proofs are less than a hundredth of this size."""
MAX_JSON_VALUES = 10_000
"""Maximum number of values in a proof's JSON. A path has at most 126 steps, and a head has a few dozen values."""


class Leaf(FrozenModel):
    """Entry of the ledger as a leaf of the Merkle tree. The hash of its canonical JSON is the leaf hash."""

    type: Literal["urn:hallmark:ledger-entry:v1"]
    seq: StrictInt
    time: str
    kind: str
    subject: str
    body: str

    @property
    def row(self) -> Row:
        return Row(self.seq, self.time, self.kind, self.subject, self.body)


class InclusionProof(FrozenModel):
    type: Literal["urn:hallmark:ledger-inclusion:v1"] = "urn:hallmark:ledger-inclusion:v1"
    entry: Leaf
    attached: str | None
    """Document attached to the entry; null if there is none. The entry's body contains the document's SHA-256."""
    path: list[Sha256]
    head: dict[str, Any]
    """DSSE envelope of the signed head."""
    key: str
    """Public key line of the signer. It only identifies the key; readers must know the key from a trusted source."""


class ConsistencyProof(FrozenModel):
    type: Literal["urn:hallmark:ledger-consistency:v1"] = "urn:hallmark:ledger-consistency:v1"
    old: dict[str, Any]
    path: list[Sha256]
    head: dict[str, Any]
    key: str


Proof = InclusionProof | ConsistencyProof
_PROOF: TypeAdapter[Proof] = TypeAdapter(Annotated[Proof, Field(discriminator="type")])


class Prover:
    """Prover that uses the newest head on this machine. It reads the head once, and each entry at most once.

    Raises:
        InputError: No head has been signed yet.
    """

    def __init__(self, ledger: Ledger, keyholder: LedgerKeys) -> None:
        envelope = publication.newest_envelope(keyholder)
        if envelope is None:
            raise InputError(
                "no head was signed here yet, so there is nothing to prove by; run `hallmark ledger publish`"
            )
        self._ledger, self._roots = ledger, LedgerRoots(ledger)
        self._signers = publication.ledger_keys(keyholder)
        self._envelope, self._head = envelope, heads.verify_head(envelope, self._signers)
        self._key = next(
            keys.strip_comment(key.public_key)
            for key in self._signers
            if key.fingerprint in dsse.unverified_signers(envelope)
        )

    def prove_inclusion(self, seq: int) -> InclusionProof:
        """Prove that the head covers entry `seq`.

        Raises:
            InputError: The head covers fewer entries.
            Refused: The entry was changed after the head was signed.
        """
        size = self._head.size
        if not 1 <= seq <= size:
            raise InputError(
                f"the newest head covers entries 1 to {size}, not {seq}; `hallmark ledger publish` signs one that "
                "covers all there are"
            )
        path = [step.hex() for step in merkle.inclusion_path(seq - 1, size, self._roots.range_root)]
        rows = list(self._ledger.rows(seq - 1, seq))
        if len(rows) != 1:
            raise Refused(f"the ledger has {len(rows)} entries {seq}; run `hallmark ledger verify`")
        made = InclusionProof(
            entry=Leaf(type=ledger_entry.ENTRY_TYPE, **rows[0]._asdict()),
            attached=_attached_document(self._ledger, rows[0]),
            path=path,
            head=self._envelope,
            key=self._key,
        )
        verify_proof(made, self._signers)
        return made

    def prove_consistency(self, old_envelope: dict[str, Any]) -> ConsistencyProof:
        """Prove that the newest head extends an older one.

        Args:
            old_envelope: Envelope of the older head.

        Raises:
            Refused: The newest head does not extend the older one.
        """
        before, size = heads.verify_head(old_envelope, self._signers), self._head.size
        if before.size > size:
            raise Refused(f"that head has {before.size} entries, the newest one here {size}: entries were taken off")
        path = [step.hex() for step in merkle.consistency_path(before.size, size, self._roots.range_root)]
        made = ConsistencyProof(old=old_envelope, path=path, head=self._envelope, key=self._key)
        verify_proof(made, self._signers)
        return made


def prove_inclusion(ledger: Ledger, keyholder: LedgerKeys, seq: int) -> InclusionProof:
    return Prover(ledger, keyholder).prove_inclusion(seq)


def prove_consistency(ledger: Ledger, keyholder: LedgerKeys, old_envelope: dict[str, Any]) -> ConsistencyProof:
    return Prover(ledger, keyholder).prove_consistency(old_envelope)


def read_proof(path: Path) -> Proof:
    """Read a proof from a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is too long or not JSON.
        Refused: The JSON is not a proof.
    """
    return parse_proof(parse_bounded(read_bounded(path, MAX_PROOF_BYTES), MAX_JSON_VALUES))


def parse_proof(value: Any) -> Proof:
    try:
        return _PROOF.validate_python(value)
    except ValidationError as error:
        raise Refused(f"this is no proof about a ledger ({error.errors()[0]['msg']})") from None


def verify_proof(proof: Proof, trusted_keys: Sequence[Key]) -> str:
    """Verify a proof with trusted keys, and return a sentence that says what it proves.

    Raises:
        Refused: The proof is not valid.
    """
    head = heads.verify_head(proof.head, trusted_keys)
    path = [bytes.fromhex(step) for step in proof.path]
    if isinstance(proof, ConsistencyProof):
        old = heads.verify_head(proof.old, trusted_keys)
        roots = bytes.fromhex(old.root), old.size, bytes.fromhex(head.root), head.size
        if old.ledger != head.ledger or not merkle.verify_consistency(*roots, path):
            raise Refused(f"the head of {head.describe()} does not go on from that of {old.describe()}")
        return f"what the head of {old.describe()} covers is the beginning of what the head of {head.describe()} covers"
    row = proof.entry.row
    document = None if proof.attached is None else proof.attached.encode(errors="replace")
    if wrong := attachments.find_mismatch(row.seq, ledger_entry.entry_from_row(row).body, document):
        raise Refused(wrong)
    if not merkle.verify_inclusion(bytes.fromhex(head.root), head.size, row.leaf_hash(), row.seq - 1, path):
        raise Refused(f"the proof does not show that this is entry {row.seq} under the head of {head.describe()}")
    return f"entry {row.seq}, {row.kind} of {row.time}, is in the ledger under the head of {head.describe()}"


def _attached_document(ledger: Ledger, row: Row) -> str | None:
    entry = ledger_entry.entry_from_row(row)
    try:
        return ledger.documents([entry])[0].decode() if attachments.DIGEST_KEY in entry.body else None
    except UnicodeDecodeError as error:
        raise Refused(f"what is attached to entry {row.seq} is no text ({error}); nothing is proven of it") from None
