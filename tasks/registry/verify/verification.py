"""Verification of a release from its folder and the root key's fingerprint, without network, database or project.

The adoptions are verified first, because they establish the valid keys, and then the promotion statement, which lists
every file. Other files are parsed only after all digests were verified. No model is loaded.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.core.documents.document import error_text
from tasks.core.errors import HallmarkError, Refused
from tasks.core.formatting import format_time
from tasks.policy.governance import LOCAL, Governance
from tasks.policy.signed_document import KeyDirectory
from tasks.registry.release import bundle, contents, promotions
from tasks.registry.release.contents import Contents, display_names
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
from tasks.registry.verify.trust import Trust
from tasks.stages.package.package import SAFE_SUFFIXES
from tasks.trust import dsse

CHECK_ERRORS = (HallmarkError, OSError, ValueError, RecursionError)
PAYLOAD_SUFFIXES = (".md", ".html", ".yaml", *SAFE_SUFFIXES)
"""Allowed suffixes of payload files outside payload/model."""
NOT_VERIFIABLE = [
    "whether a newer statement took the release back, or a key was revoked since: ask who promoted it, or their ledger",
    "the sources and the dataset themselves: a release holds their digests, not their records",
    "whether training again gives these very bytes: `hallmark reproduce` does that where the sources are",
]


def verify(folder: Path, governance: Governance) -> Verification:
    return _verify(folder, trust.from_governance(governance))[0]


def verify_from_root(folder: Path, root: str) -> Verification:
    """Verify a release with the fingerprint of a root key.

    The caller must have received the fingerprint through a separate channel, not with the release.
    """
    try:
        trusted = trust.from_root(folder, root)
    except CHECK_ERRORS as error:
        against = Check(about="root of trust", state="no", text=describe_error(error))
        return Verification(release="", sha256="", root=root, checks=[against], unchecked=NOT_VERIFIABLE)
    return _verify(folder, trusted)[0]


def verify_with_trust(folder: Path, trusted: Trust) -> Verification:
    """Verify a release with keys that the caller has verified already."""
    return _verify(folder, trusted)[0]


def require_valid(folder: Path, governance: Governance) -> SignedPromotion:
    """Verify a release and return its promotion statement.

    A missing inclusion proof is accepted, because an installation has its own ledger. Missing weights are not accepted.

    Raises:
        Refused: A check failed; the message describes the first failed check.
    """
    checked, signed = _verify(folder, trust.from_governance(governance), whole=True)
    if checked.verdict == "invalid" or signed is None:
        raise Refused(f"the release in {folder} does not verify: {checked.against}")
    return signed


def read_statement(folder: Path, signers: KeyDirectory) -> SignedPromotion:
    return _statement(_read_statement(folder), signers)


def _verify(folder: Path, trusted: Trust, whole: bool = False) -> tuple[Verification, SignedPromotion | None]:
    checks: list[Check] = [trusted.check]
    signed = None
    try:
        data = _read_statement(folder)
        signed = _statement(data, trusted)
        checks.append(_promotion_check(signed))
        for check in _checks(folder, data, signed, trusted, whole):
            checks.append(check)
    except CHECK_ERRORS as error:
        checks.append(Check(about="", state="no", text=describe_error(error)))
    label, sha256 = (signed.promotion.label, signed.release_sha256) if signed else ("", "")
    unchecked = [*(_unverifiable_in_early_versions(signed.promotion) if signed else ()), *NOT_VERIFIABLE]
    demo = signed is not None and signed.promotion.demo
    found = Verification(release=label, sha256=sha256, root=trusted.root, demo=demo, checks=checks, unchecked=unchecked)
    return found, signed


def _unverifiable_in_early_versions(promotion: Promotion) -> Iterator[str]:
    folders = {name.rsplit("/", 1)[0] for name in promotion.files}
    if bundle.STAGES not in folders:
        yield stage_record_checks.NOT_VERIFIABLE
    if bundle.DECLARATIONS not in folders and promotion.environment != LOCAL:
        yield declaration_checks.NOT_VERIFIABLE


def describe_error(error: Exception) -> str:
    return (
        f"a file does not hold what its name says ({error_text(error)})"
        if isinstance(error, ValueError)
        else error_text(error)
    )


def _read_statement(folder: Path) -> bytes:
    try:
        return contents.read_one(folder, bundle.PROMOTION)
    except Refused as error:
        raise Refused(f"{error}; this is no release, or was never promoted") from None


def _statement(data: bytes, signers: KeyDirectory) -> SignedPromotion:
    return promotions.verify(dsse.parse(data, bundle.PROMOTION), signers)


def _promotion_check(signed: SignedPromotion) -> Check:
    promotion = signed.promotion
    text = (
        f"statement {promotion.sequence} of {promotion.name} in environment {promotion.environment}, "
        f"{format_time(promotion.time)}, is signed by the gate's key"
    )
    return Check(about="promotion", state="ok", text=f"the promotion statement of {promotion.label}: {text}")


def _checks(folder: Path, data: bytes, signed: SignedPromotion, trusted: Trust, whole: bool) -> Iterator[Check]:
    """Run all checks of a release, and yield each check that passes. Raise one of CHECK_ERRORS if a check fails.

    Args:
        folder: Folder of the release.
        data: Bytes of the promotion statement.
        signed: Promotion statement.
        trusted: Trusted keys and adoptions.
        whole: Whether declared omissions of weights are ignored, so that these weights count as missing files.
    """
    omitted = {} if whole else omitted_weights.read(folder, signed.promotion.files)
    files = _read_listed_files(folder, signed, omitted)
    if files.bytes(bundle.PROMOTION) != data:
        raise Refused(f"{bundle.PROMOTION} changed while it was verified")
    listing = {name: files.digests.get(name) or omitted[name] for name in signed.promotion.files}
    omitted_note = f" but {len(omitted)}" * bool(omitted)
    text = f"all {len(listing)} files{omitted_note} are those that the statement lists, and no other is there"
    yield Check(about="files", state="ok", text=text)
    if omitted:
        yield omitted_weights.check(omitted)
    yield Check(about="files", state="ok", text=_check_file_types(listing))
    yield from attestation_checks.verify(files, signed, listing, trusted)
    proof = files.json(bundle.LEDGER) if bundle.LEDGER in files.digests else None
    yield promotion_proof.check(proof, signed, trusted.ledger_keys)
    files.require_unchanged(late=bundle.UNLISTED)


def _read_listed_files(folder: Path, signed: SignedPromotion, left: Mapping[str, str]) -> Contents:
    """Read the files of a release, and compare them with the promotion statement.

    Names and known sizes are compared before any file is hashed.
    """
    wanted = signed.promotion.files
    contents.require_portable_names(wanted)
    present = set(contents.file_names(folder)) - bundle.UNLISTED
    _refuse_if_any("missing", wanted.keys() - present - left.keys())
    _refuse_if_any("not listed by the promotion statement", present - wanted.keys())
    payload_size.require_packaged_size(folder, wanted, wanted.keys() - left.keys())
    parsed = [name for name in wanted if name.startswith(f"{bundle.ATTESTATIONS}/")]
    unlisted = [name for name in sorted(bundle.UNLISTED) if (folder / name).exists()]
    files = contents.read(
        folder, [*(wanted.keys() - left.keys()), *unlisted], [*parsed, *unlisted, *attestations.PARSED_FILES]
    )
    _refuse_if_any("changed", {name for name in wanted.keys() - left.keys() if files.digests[name] != wanted[name]})
    if bundle.release_digest(wanted) != signed.release_sha256:
        raise Refused("the digest of the files is not the one that the promotion statement is about")
    if bundle.part_digest(wanted, bundle.PAYLOAD) != signed.promotion.payload_sha256:
        raise Refused("the digest of the payload is not the one in the promotion statement")
    return files


def _refuse_if_any(what: str, names: set[str]) -> None:
    if names:
        raise Refused(f"{what}: {display_names(names)}")


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
