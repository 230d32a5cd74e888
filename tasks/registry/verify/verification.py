"""Verification of a release from its folder and the root key's fingerprint. No network, database or project is needed.

The adoptions are verified first, because they establish the valid keys. The promotion statement, which lists every
file, is verified next. Other files are parsed only after all digests were verified. No model is loaded.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.core.documents.document import document_error_message
from tasks.core.errors import HallmarkError, Refused, raise_machine_fault
from tasks.core.formatting import format_time
from tasks.policy.governance import LOCAL_ENVIRONMENT, Governance
from tasks.policy.signed_document import KeyDirectory
from tasks.registry.release import bundle, contents, promotions
from tasks.registry.release.contents import FolderContents, format_names
from tasks.registry.release.promotions import Promotion, SignedPromotion
from tasks.registry.release.report import Check, Verification
from tasks.registry.verify import (
    attestation_checks,
    attestations,
    declaration_checks,
    omitted_weights,
    payload_size,
    promotion_proof,
    stage_record_checks,
    trust,
)
from tasks.registry.verify.trust import TrustedKeys
from tasks.stages.package.package import SAFE_SUFFIXES
from tasks.trust import dsse

CHECK_ERRORS = (HallmarkError, OSError, ValueError, RecursionError)
PAYLOAD_SUFFIXES = (".md", ".html", ".yaml", *SAFE_SUFFIXES)
"""Allowed suffixes of payload files outside payload/model."""
UNVERIFIABLE_CLAIMS = [
    "whether a newer statement took the release back, or a key was revoked since: ask who promoted it, or their ledger",
    "the sources and the dataset themselves: a release holds their digests, not their records",
    "whether training again gives these very bytes: `hallmark reproduce` does that where the sources are",
]


def verify_release(folder: Path, governance: Governance) -> Verification:
    return _verify_and_read(folder, trust.trust_from_governance(governance))[0]


def verify_from_root(folder: Path, root_fingerprint: str) -> Verification:
    """Verify a release with the fingerprint of a root key, which must not come from the same channel as the release.

    Raises:
        Unavailable: The machine lacks memory or file descriptors, or its disk fails.
    """
    try:
        trusted = trust.trust_from_root(folder, root_fingerprint)
    except CHECK_ERRORS as error:
        raise_machine_fault(folder, error)
        against = Check(about="root of trust", state="no", text=describe_error(error))
        return Verification(
            release="", sha256="", root=root_fingerprint, checks=[against], unchecked=UNVERIFIABLE_CLAIMS
        )
    return _verify_and_read(folder, trusted)[0]


def verify_with_trust(folder: Path, trusted: TrustedKeys) -> Verification:
    """Verify a release with keys that the caller has verified already."""
    return _verify_and_read(folder, trusted)[0]


def require_valid_release(folder: Path, governance: Governance) -> SignedPromotion:
    """Verify a release and return its promotion statement.

    A missing inclusion proof is accepted, because this installation has its own ledger. Missing weights are not
    accepted.

    Raises:
        Refused: A check failed; the message describes the first failed check.
        Unavailable: The machine lacks memory or file descriptors, or its disk fails.
    """
    checked, signed = _verify_and_read(folder, trust.trust_from_governance(governance), requires_weights=True)
    if checked.verdict == "invalid" or signed is None:
        raise Refused(f"the release in {folder} does not verify: {checked.against}")
    return signed


def read_statement(folder: Path, signers: KeyDirectory) -> SignedPromotion:
    return _verify_statement(_read_statement(folder), signers)


def _verify_and_read(
    folder: Path, trusted: TrustedKeys, requires_weights: bool = False
) -> tuple[Verification, SignedPromotion | None]:
    checks: list[Check] = [trusted.root_check]
    signed = None
    try:
        data = _read_statement(folder)
        signed = _verify_statement(data, trusted)
        checks.append(_promotion_check(signed))
        for check in _run_checks(folder, data, signed, trusted, requires_weights):
            checks.append(check)
    except CHECK_ERRORS as error:
        raise_machine_fault(folder, error)
        checks.append(Check(about="", state="no", text=describe_error(error)))
    label, sha256 = (signed.promotion.label, signed.release_sha256) if signed else ("", "")
    unchecked = [*(_unverifiable_in_early_versions(signed.promotion) if signed else ()), *UNVERIFIABLE_CLAIMS]
    demo = signed is not None and signed.promotion.demo
    found = Verification(
        release=label, sha256=sha256, root=trusted.root_fingerprint, demo=demo, checks=checks, unchecked=unchecked
    )
    return found, signed


def _unverifiable_in_early_versions(promotion: Promotion) -> Iterator[str]:
    folders = {name.rsplit("/", 1)[0] for name in promotion.files}
    if bundle.STAGE_RECORDS not in folders:
        yield stage_record_checks.UNVERIFIABLE_CLAIM
    if bundle.DECLARATIONS not in folders and promotion.environment != LOCAL_ENVIRONMENT:
        yield declaration_checks.UNVERIFIABLE_CLAIM


def describe_error(error: Exception) -> str:
    return (
        f"a file does not hold what its name says ({document_error_message(error)})"
        if isinstance(error, ValueError)
        else document_error_message(error)
    )


def _read_statement(folder: Path) -> bytes:
    try:
        return contents.read_file(folder, bundle.PROMOTION_STATEMENT)
    except Refused as error:
        raise Refused(f"{error}; this is no release, or was never promoted") from None


def _verify_statement(data: bytes, signers: KeyDirectory) -> SignedPromotion:
    return promotions.verify_promotion(dsse.parse_envelope(data, bundle.PROMOTION_STATEMENT), signers)


def _promotion_check(signed: SignedPromotion) -> Check:
    promotion = signed.promotion
    text = (
        f"statement {promotion.sequence} of {promotion.name} in environment {promotion.environment}, "
        f"{format_time(promotion.time)}, is signed by the gate's key"
    )
    return Check(about="promotion", state="ok", text=f"the promotion statement of {promotion.label}: {text}")


def _run_checks(
    folder: Path, data: bytes, signed: SignedPromotion, trusted: TrustedKeys, requires_weights: bool
) -> Iterator[Check]:
    """Run all checks of a release and yield each check that passes. If a check fails, raise one of CHECK_ERRORS.

    Args:
        folder: Folder of the release.
        data: Bytes of the promotion statement.
        signed: Promotion statement.
        trusted: Trusted keys and adoptions.
        requires_weights: Whether the weights must be present. If so, weights that are declared as omitted count as
            missing files.
    """
    omitted = {} if requires_weights else omitted_weights.read_omitted_weights(folder, signed.promotion.files)
    files = _read_listed_files(folder, signed, omitted)
    if files.file_bytes(bundle.PROMOTION_STATEMENT) != data:
        raise Refused(f"{bundle.PROMOTION_STATEMENT} changed while it was verified")
    listing = {name: files.digests.get(name) or omitted[name] for name in signed.promotion.files}
    omitted_note = f" but {len(omitted)}" * bool(omitted)
    text = f"all {len(listing)} files{omitted_note} are those that the statement lists, and no other is there"
    yield Check(about="files", state="ok", text=text)
    if omitted:
        yield omitted_weights.omitted_weights_check(omitted)
    yield Check(about="files", state="ok", text=_check_file_types(listing))
    yield from attestation_checks.verify_attestations(files, signed, listing, trusted)
    proof = files.parsed_json(bundle.LEDGER_PROOF) if bundle.LEDGER_PROOF in files.digests else None
    yield promotion_proof.check_proof(proof, signed, trusted.ledger_keys)
    files.require_unchanged(allowed_additions=bundle.UNLISTED_FILES)


def _read_listed_files(folder: Path, signed: SignedPromotion, omitted: Mapping[str, str]) -> FolderContents:
    """Read the files of a release, and compare them with the promotion statement.

    Before any file is hashed, the file names and the size of the payload are compared.
    """
    wanted = signed.promotion.files
    contents.require_portable_names(wanted)
    present = set(contents.file_names(folder)) - bundle.UNLISTED_FILES
    _refuse_if_any("missing", wanted.keys() - present - omitted.keys())
    _refuse_if_any("not listed by the promotion statement", present - wanted.keys())
    payload_size.require_packaged_size(folder, wanted, wanted.keys() - omitted.keys())
    parsed = [name for name in wanted if name.startswith(f"{bundle.ATTESTATIONS}/")]
    unlisted = [name for name in sorted(bundle.UNLISTED_FILES) if (folder / name).exists()]
    files = contents.read_files(
        folder, [*(wanted.keys() - omitted.keys()), *unlisted], [*parsed, *unlisted, *attestations.PARSED_FILES]
    )
    _refuse_if_any("changed", {name for name in wanted.keys() - omitted.keys() if files.digests[name] != wanted[name]})
    if bundle.release_digest(wanted) != signed.release_sha256:
        raise Refused("the digest of the files is not the one that the promotion statement is about")
    if bundle.part_digest(wanted, bundle.PAYLOAD) != signed.promotion.payload_sha256:
        raise Refused("the digest of the payload is not the one in the promotion statement")
    return files


def _refuse_if_any(what: str, names: set[str]) -> None:
    if names:
        raise Refused(f"{what}: {format_names(names)}")


def _check_file_types(listing: dict[str, str]) -> str:
    payload = [name.split("/")[1:] for name in listing if name.startswith(f"{bundle.PAYLOAD}/")]
    model = [parts for parts in payload if parts[0] == "model"]
    unsafe = [
        "/".join(p)
        for p in payload
        if Path(p[-1]).suffix not in (SAFE_SUFFIXES if p[0] == "model" else PAYLOAD_SUFFIXES)
    ]
    if unsafe or not model:
        raise Refused(f"payload/model holds more than safetensors, JSON and a chat template: {', '.join(unsafe)}")
    return "the model is safetensors and JSON; nothing in it can run code when it is loaded"
