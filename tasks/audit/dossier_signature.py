"""Signed statement with the digests of all files of a dossier.

It is signed with the ledger key, because signing dossiers gives the holder of this key no additional power. A dossier
contains only content of the ledger and the release, and the ledger key already signs the heads to which the proofs in a
dossier lead. Writing a dossier requires neither the gate key nor the worker key.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.params.values import Sha256
from tasks.policy.signed_document import DatedDocument, KeyDirectory, SignedDocument, SignedKind, verify_envelope
from tasks.registry.verify import trust
from tasks.trust import dsse
from tasks.trust.keys import Signer

PREDICATE_TYPE = "urn:hallmark:dossier-signature:v1"
SIGNATURE_FILE = "signature.json"


class DossierSignature(DatedDocument):
    """Signature of a dossier, as the predicate of an in-toto statement.

    The subjects of the statement are all files of the dossier except signature.json, each named by its path.
    """

    release: str
    """Release in the form NAME-VERSION."""
    release_sha256: Sha256
    environment: str
    demo: bool
    """Whether demo identities approved the release instead of people."""
    last_entry: int
    """Number of the newest ledger entry that the dossier includes."""


SIGNATURE_KIND = SignedKind(
    PREDICATE_TYPE, DossierSignature, "the signature of a dossier", signer_of=lambda _: "ledger", machines=("ledger",)
)


def sign_dossier(signature: DossierSignature, files: Mapping[str, str], signer: Signer) -> dict[str, Any]:
    return dsse.sign_statement(dsse.make_statement(PREDICATE_TYPE, files, signature.json_value), signer)


def verify_signature(data: bytes, signers: KeyDirectory) -> SignedDocument[DossierSignature]:
    """Verify the signature of a dossier, and return its statement.

    Raises:
        Refused: The signature is not valid, or its key is revoked.
    """
    signed = verify_envelope(dsse.parse_envelope(data, SIGNATURE_FILE), SIGNATURE_KIND, signers)
    trust.require_unrevoked_ledger_key(signed.keyid, signers, "the dossier")
    return signed


def is_dossier(folder: Path) -> bool:
    return (folder / SIGNATURE_FILE).is_file() or (folder / "dossier.json").is_file()
