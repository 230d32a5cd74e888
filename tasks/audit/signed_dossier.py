"""The statement that signs a dossier: every file of it by digest, under the key of the ledger.

A dossier tells what the ledger and a release hold, and nothing more. The ledger's key says what the ledger holds
already: it signs the heads that the proofs of a dossier lead to. So whoever has it gains nothing by signing dossiers.
The gate's key lets models pass, and the worker's lies on every machine that computes: neither is asked for to tell.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.policy.read_signed import Dated, Kind, Signed, Signers, read_envelope
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tasks.trust.validity import shown

TYPE = "urn:hallmark:dossier-signature:v1"
NAME = "signature.json"
"""Its file in a dossier."""


class DossierSignature(Dated):
    """The predicate of the statement. Its subjects are all files of the dossier but its own, by path."""

    release: str
    """NAME-VERSION."""
    release_sha256: Sha256
    environment: str
    demo: bool
    """Demo identities let the release through: no person decided."""
    last_entry: int
    """Number of the last entry of the ledger that the dossier takes into account."""


SIGNATURE = Kind(TYPE, DossierSignature, "the signature of a dossier", by=lambda _: "ledger", machines=("ledger",))


def sign(said: DossierSignature, files: Mapping[str, str], signer: Signer) -> dict[str, Any]:
    """Sign the files of a dossier, given as SHA-256 by path."""
    return dsse.sign(dsse.statement(TYPE, files, said.said), signer)


def read(data: bytes, signers: Signers) -> Signed[DossierSignature]:
    """The signature in a file, if a key of the ledger made it that counted then and was not revoked later.

    Raises Refused. Nothing but the signature says when it was made: whoever has a revoked key can date it back.
    """
    signed = read_envelope(dsse.parse(data, NAME), SIGNATURE, signers)
    for key in signers.keys_of("ledger"):
        if key.fingerprint == signed.keyid and key.revoked_as_of:
            raise Refused(
                f"the ledger's key {key.fingerprint}, which signed the dossier, is revoked as of "
                f"{shown(key.revoked_as_of)}: have the dossier written anew"
            )
    return signed


def is_dossier(folder: Path) -> bool:
    """Whether a folder says that it is a dossier, and no release."""
    return (folder / NAME).is_file() or (folder / "dossier.json").is_file()
