"""OpenSSF Model Signing signature over every file of the payload (attestations/model.sig), with its public key.

The library `model_signing` writes the signature as a Sigstore bundle. The payload can therefore also be verified with
the library's command:

    model_signing verify key payload --signature attestations/model.sig --public_key attestations/model-signing.pub

Hallmark itself checks the signature against digests that it has already computed, so that the model is not hashed
twice.

https://github.com/sigstore/model-transparency
"""

import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # the module has no __all__

from tasks.core.errors import Refused
from tasks.trust import model_key

SIGNATURE, PUBLIC_KEY = "model.sig", "model-signing.pub"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}


def sign_payload(payload: Path, attestations: Path, keys_folder: Path) -> None:
    from model_signing import hashing, signing

    config = signing.Config().use_elliptic_key_signer(private_key=model_key.private_key_path(keys_folder))
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False))
    config.sign(payload, attestations / SIGNATURE)
    (attestations / PUBLIC_KEY).write_bytes(model_key.read_public_pem(keys_folder))


def verify_signature(bundle: Any, public_pem: bytes, payload: Mapping[str, str]) -> None:
    """Verify that a signature was made with the given key and covers exactly the files of `payload`.

    Args:
        bundle: Parsed Sigstore bundle.
        public_pem: Public key in PEM format.
        payload: SHA-256 of each file, by path in the payload.

    Raises:
        Refused: The signature is not valid, or covers other files.
    """
    statement = _verified_statement(bundle, public_pem)
    try:
        predicate = statement["predicate"]
        resources = predicate["resources"]
        digests = {item["name"]: item["digest"] for item in resources if item["algorithm"] == "sha256"}
        named = [item["digest"]["sha256"] for item in statement["subject"]]
        form = {name: predicate["serialization"].get(name) for name in SERIALIZATION}
        ignored = predicate["serialization"].get("ignore_paths", [])
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused(f"model.sig signs no list of files ({type(error).__name__}: {error})") from None
    if statement.get("predicateType") != PREDICATE_TYPE or form != SERIALIZATION or ignored:
        raise Refused(f"model.sig is a {statement.get('predicateType')} of another form than expected")
    if differ := sorted(name for name in {*digests, *payload} if digests.get(name) != payload.get(name)):
        raise Refused(f"model.sig was made over other files; it differs in {', '.join(differ[:5])}")
    together = hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in predicate["resources"]))
    if named != [together.hexdigest()] or len(resources) != len(digests):
        raise Refused("model.sig contradicts itself: its subject is not the digest of its list of files")


def _verified_statement(bundle: Any, public_pem: bytes) -> dict[str, Any]:
    from tasks.registry.release.contents import parse_json

    key = _load_public_key(public_pem)
    try:
        material, inner = bundle["verificationMaterial"], bundle["dsseEnvelope"]
        hint, media_type = material["publicKey"]["hint"], bundle["mediaType"]
        signatures = [{"keyid": key.keyid, "sig": item["sig"]} for item in inner["signatures"]]
        envelope = Envelope.from_dict({**inner, "signatures": signatures})
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Refused(f"model.sig is no Sigstore bundle ({type(error).__name__}: {error})") from None
    if media_type != MEDIA_TYPE or len(signatures) != 1 or hint != hashlib.sha256(public_pem).hexdigest():
        raise Refused("model.sig does not name the key model-signing.pub, or is of another form than expected")
    try:
        envelope.verify([key], 1)
    except VerificationError:
        raise Refused("the signature in model.sig does not match, or was not made by model-signing.pub") from None
    statement = parse_json(envelope.payload, "model.sig")
    if envelope.payload_type != "application/vnd.in-toto+json" or not isinstance(statement, dict):
        raise Refused("model.sig signs no in-toto statement")
    return statement


def _load_public_key(public_pem: bytes) -> SSlibKey:
    try:
        key = serialization.load_pem_public_key(public_pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refused(f"model-signing.pub is no public key ({error})") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refused("model-signing.pub is no elliptic-curve key")
    return SSlibKey.from_crypto(key, keyid="model-signing")
