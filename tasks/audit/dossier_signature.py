"""Statement that signs a dossier: the digests of all its files, signed with the ledger's key.

A dossier contains only content of the ledger and the release. The ledger's key already signs the heads to which the
proofs of a dossier lead, so signing dossiers gives its holder no additional power. The gate key, which lets models
pass, and the worker key, which is on every machine that computes, are not needed for reporting.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.core.params.values import Sha256
from tasks.policy.signed_document import DatedDocument, KeyDirectory, SignedDocument, SignedKind, verify_envelope
from tasks.trust import dsse
from tasks.trust.keys import Signer

TYPE = "urn:hallmark:dossier-signature:v1"
FILE_NAME = "signature.json"


class DossierSignature(DatedDocument):
    """Signature of a dossier: the predicate of an in-toto statement.

    The statement's subjects are all files of the dossier, except signature.json itself, by path.
    """

    release: str
    """Release in the form NAME-VERSION."""
    release_sha256: Sha256
    environment: str
    demo: bool
    """Whether demo identities approved the release instead of people."""
    last_entry: int
    """Number of the newest ledger entry that the dossier includes."""


SIGNATURE = SignedKind(
    TYPE, DossierSignature, "the signature of a dossier", signer_of=lambda _: "ledger", machines=("ledger",)
)


def sign(said: DossierSignature, files: Mapping[str, str], signer: Signer) -> dict[str, Any]:
    return dsse.sign(dsse.statement(TYPE, files, said.json_value), signer)


def read(data: bytes, signers: KeyDirectory) -> SignedDocument[DossierSignature]:
    """Verify the signature of a dossier, and return its statement.

    A signature with a revoked key is refused whatever its time, because the time is only in the signature itself and
    the holder of the key could have backdated it.

    Raises:
        Refused: The signature is not valid.
    """
    signed = verify_envelope(dsse.parse(data, FILE_NAME), SIGNATURE, signers)
    for key in signers.keys_of("ledger"):
        if key.fingerprint == signed.keyid and key.revoked_as_of:
            raise Refused(
                f"the ledger's key {key.fingerprint}, which signed the dossier, is revoked as of "
                f"{format_time(key.revoked_as_of)}: have the dossier written anew"
            )
    return signed


def is_dossier(folder: Path) -> bool:
    return (folder / FILE_NAME).is_file() or (folder / "dossier.json").is_file()
