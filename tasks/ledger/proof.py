"""Proofs about the ledger that a stranger checks with the ledger's public key alone.

An inclusion proof shows that an entry is among those that a signed head covers; a consistency proof that what an older
head covered is the beginning of what a newer one does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, TypeAdapter, ValidationError

from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.files import json_of_others, read_at_most
from tasks.core.params.values import Sha256
from tasks.ledger import attached
from tasks.ledger import entry as ledger_entry
from tasks.ledger.entry import Row
from tasks.ledger.heads import heads, publish
from tasks.ledger.ledger import Ledger
from tasks.ledger.roots import Roots
from tasks.ledger.tree import merkle
from tasks.trust import dsse, keys
from tasks.trust.keyholder import Keyholder
from tasks.trust.validity import Key

MOST = 2 * attached.MOST
"""Bytes of a proof's file. Few have a hundredth of it."""
PIECES = 10_000
"""Of its JSON. A path has 126 steps at most, and a head some dozens of values."""


class Leaf(Frozen):
    """An entry as the tree has it: its canonical JSON is what is hashed."""

    type: Literal["urn:hallmark:ledger-entry:v1"]
    seq: StrictInt
    time: str
    kind: str
    subject: str
    body: str

    @property
    def row(self) -> Row:
        return Row(self.seq, self.time, self.kind, self.subject, self.body)


class Inclusion(Frozen):
    type: Literal["urn:hallmark:ledger-inclusion:v1"] = "urn:hallmark:ledger-inclusion:v1"
    entry: Leaf
    attached: str | None
    """What is attached to the entry, which has its SHA-256; null: nothing."""
    path: list[Sha256]
    head: dict[str, Any]
    """DSSE envelope."""
    key: str
    """Public key line of the signer. Says which key is meant; it counts where the reader has it by another way."""


class Consistency(Frozen):
    type: Literal["urn:hallmark:ledger-consistency:v1"] = "urn:hallmark:ledger-consistency:v1"
    old: dict[str, Any]
    path: list[Sha256]
    head: dict[str, Any]
    key: str


Proof = Inclusion | Consistency
_PROOF: TypeAdapter[Proof] = TypeAdapter(Annotated[Proof, Field(discriminator="type")])


class Prover:
    """Proofs under the newest head kept here, as many as are asked: the head is read once, and each entry at most.

    Raises InputError where no head was signed yet.
    """

    def __init__(self, ledger: Ledger, keyholder: Keyholder) -> None:
        envelope = publish.newest_envelope(keyholder)
        if envelope is None:
            raise InputError(
                "no head was signed here yet, so there is nothing to prove by; run `hallmark ledger publish`"
            )
        self._ledger, self._roots = ledger, Roots(ledger)
        self._signers = publish.signers(keyholder)
        self._envelope, self._head = envelope, heads.verify(envelope, self._signers)
        self._key = next(
            keys.bare(key.public_key) for key in self._signers if key.fingerprint in dsse.signers(envelope)
        )

    def prove(self, seq: int) -> Inclusion:
        """That entry `seq` is under the head.

        Raises InputError where the head does not reach it, Refused where it is not the entry that was signed.
        """
        size = self._head.size
        if not 1 <= seq <= size:
            raise InputError(
                f"the newest head covers entries 1 to {size}, not {seq}; `hallmark ledger publish` signs one that "
                "covers all there are"
            )
        path = [step.hex() for step in merkle.inclusion_path(seq - 1, size, self._roots.over)]
        rows = list(self._ledger.rows(seq - 1, seq))
        if len(rows) != 1:
            raise Refused(f"the ledger has {len(rows)} entries {seq}; run `hallmark ledger verify`")
        made = Inclusion(
            entry=Leaf(type=ledger_entry.TYPE, **rows[0]._asdict()),
            attached=_attached(self._ledger, rows[0]),
            path=path,
            head=self._envelope,
            key=self._key,
        )
        check(made, self._signers)
        return made

    def prove_since(self, old: dict[str, Any]) -> Consistency:
        """That the head goes on from an older one. Raises Refused where it does not."""
        before, size = heads.verify(old, self._signers), self._head.size
        if before.size > size:
            raise Refused(f"that head has {before.size} entries, the newest one here {size}: entries were taken off")
        path = [step.hex() for step in merkle.consistency_path(before.size, size, self._roots.over)]
        made = Consistency(old=old, path=path, head=self._envelope, key=self._key)
        check(made, self._signers)
        return made


def prove(ledger: Ledger, keyholder: Keyholder, seq: int) -> Inclusion:
    """One proof; raises as Prover."""
    return Prover(ledger, keyholder).prove(seq)


def prove_since(ledger: Ledger, keyholder: Keyholder, old: dict[str, Any]) -> Consistency:
    """One proof; raises as Prover."""
    return Prover(ledger, keyholder).prove_since(old)


def read(path: Path) -> Proof:
    """Raises OSError or ValueError where there is no JSON of a proof's length, Refused where it is no proof."""
    return parse(json_of_others(read_at_most(path, MOST), PIECES))


def parse(value: Any) -> Proof:
    """Raises Refused where it is no proof."""
    try:
        return _PROOF.validate_python(value)
    except ValidationError as error:
        raise Refused(f"this is no proof about a ledger ({error.errors()[0]['msg']})") from None


def check(proof: Proof, those: Sequence[Key]) -> str:
    """What a proof shows, in words. Raises Refused where it does not hold, with keys that the reader trusts."""
    head = heads.verify(proof.head, those)
    path = [bytes.fromhex(step) for step in proof.path]
    if isinstance(proof, Consistency):
        old = heads.verify(proof.old, those)
        roots = bytes.fromhex(old.root), old.size, bytes.fromhex(head.root), head.size
        if old.ledger != head.ledger or not merkle.extends(*roots, path):
            raise Refused(f"the head of {head.describe()} does not go on from that of {old.describe()}")
        return f"what the head of {old.describe()} covers is the beginning of what the head of {head.describe()} covers"
    row = proof.entry.row
    document = None if proof.attached is None else proof.attached.encode(errors="replace")
    if wrong := attached.problem(row.seq, ledger_entry.read(row).body, document):
        raise Refused(wrong)
    if not merkle.includes(bytes.fromhex(head.root), head.size, row.leaf_hash(), row.seq - 1, path):
        raise Refused(f"the proof does not show that this is entry {row.seq} under the head of {head.describe()}")
    return f"entry {row.seq}, {row.kind} of {row.time}, is in the ledger under the head of {head.describe()}"


def _attached(ledger: Ledger, row: Row) -> str | None:
    entry = ledger_entry.read(row)
    try:
        return ledger.documents([entry])[0].decode() if attached.NAMED in entry.body else None
    except UnicodeDecodeError as error:
        raise Refused(f"what is attached to entry {row.seq} is no text ({error}); nothing is proven of it") from None
