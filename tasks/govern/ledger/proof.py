"""Proofs about the ledger that a stranger checks with the ledger's public key alone.

An inclusion proof shows that an entry is among those that a signed head covers; a consistency proof that what an older
head covered is the beginning of what a newer one does.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, TypeAdapter, ValidationError

from tasks.config import Frozen
from tasks.errors import InputError, Refused
from tasks.govern import dsse
from tasks.govern.identity import keys
from tasks.govern.identity.validity import Key
from tasks.govern.ledger import entry as ledger_entry
from tasks.govern.ledger import heads, merkle, publish
from tasks.govern.ledger.entry import Row
from tasks.govern.ledger.heads import Head
from tasks.govern.ledger.ledger import Ledger
from tasks.govern.rules.governance import Governance
from tasks.params import Sha256


class Leaf(Frozen):
    """An entry as the tree has it: its canonical JSON is what is hashed."""

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


def prove(ledger: Ledger, governance: Governance, seq: int) -> Inclusion:
    """That entry `seq` is under the newest head kept here. Reads every entry that the head covers.

    Raises InputError where the head does not reach it, Refused where the entries are not those that were signed.
    """
    envelope, head = _newest(governance)
    if not 1 <= seq <= head.size:
        raise InputError(
            f"the newest head covers entries 1 to {head.size}, not {seq}; `hallmark ledger publish` signs one that "
            "covers all there are"
        )
    wanted: list[Row] = []

    def leaves() -> Any:
        for row in ledger.rows(upto=head.size):
            if row.seq == seq:
                wanted.append(row)
            yield row.leaf_hash()

    path = _path(lambda: merkle.inclusion_path(seq - 1, leaves(), head.size))
    made = Inclusion(entry=Leaf(**wanted[0]._asdict()), path=path, head=envelope, key=_line(governance, envelope))
    check(made, publish.signers(governance))
    return made


def prove_since(ledger: Ledger, governance: Governance, old: dict[str, Any]) -> Consistency:
    """That the newest head kept here goes on from an older one. Raises as `prove`."""
    envelope, head = _newest(governance)
    before = heads.verify(old, publish.signers(governance))
    if before.size > head.size:
        raise Refused(f"that head has {before.size} entries, the newest one here {head.size}: entries were taken off")
    leaves = (row.leaf_hash() for row in ledger.rows(upto=head.size))
    path = _path(lambda: merkle.consistency_path(before.size, leaves, head.size))
    made = Consistency(old=old, path=path, head=envelope, key=_line(governance, envelope))
    check(made, publish.signers(governance))
    return made


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
    ledger_entry.read(row)
    if not merkle.includes(bytes.fromhex(head.root), head.size, row.leaf_hash(), row.seq - 1, path):
        raise Refused(f"the proof does not show that this is entry {row.seq} under the head of {head.describe()}")
    return f"entry {row.seq}, {row.kind} of {row.time}, is in the ledger under the head of {head.describe()}"


def _newest(governance: Governance) -> tuple[dict[str, Any], Head]:
    envelope = publish.newest_envelope(governance)
    if envelope is None:
        raise InputError("no head was signed here yet, so there is nothing to prove by; run `hallmark ledger publish`")
    return envelope, heads.verify(envelope, publish.signers(governance))


def _path(make: Any) -> list[str]:
    try:
        return [step.hex() for step in make()]
    except (StopIteration, RuntimeError):
        raise Refused("the ledger has fewer entries than its newest head; run `hallmark ledger verify`") from None


def _line(governance: Governance, head: dict[str, Any]) -> str:
    """Public key line, without a comment, of whoever signed a head that is known to be signed."""
    return next(keys.bare(k.public_key) for k in publish.signers(governance) if k.fingerprint in dsse.signers(head))
