"""Verification of an export from its folder. No network, database or library for models is needed.

1. Verify the adoptions, which determine the valid keys.
2. Verify the signature of the statement, which lists every file by digest, and then these digests.
3. Verify the promotion statement of the release, and that the export is of this release.
"""

import re
from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument, verify_envelope
from tasks.registry.export.statement import (
    EXPORT_KIND,
    GOVERNANCE_FOLDER,
    PROMOTION_FILE,
    STATEMENT_FILE,
    ExportStatement,
)
from tasks.registry.release import contents, promotions
from tasks.registry.release.contents import format_names
from tasks.registry.release.report import Check, Verification
from tasks.registry.verify import trust, verification
from tasks.registry.verify.trust import TrustedKeys
from tasks.trust import dsse

PROOF_NAME = re.compile(
    rf"{re.escape(STATEMENT_FILE)}|{re.escape(PROMOTION_FILE)}|{re.escape(GOVERNANCE_FOLDER)}/[0-9]{{4}}\.json"
)
"""Pattern of the files that the statement does not list. Each has a signature of its own."""
UNVERIFIABLE_CLAIMS = [
    "whether the weights follow from those of the release: whoever holds the ledger's key says so; export again to see",
    "whether a newer release is in production, or this one was taken back: ask who promoted it, or their ledger",
]
NO_ADOPTIONS_MESSAGE = (
    "this export was made for a hub and names no person, so it lacks the adoptions that establish the ledger's key; "
    f"copy attestations/governance of the release to {GOVERNANCE_FOLDER}, or verify it in its own checkout"
)


def is_export(folder: Path) -> bool:
    return (folder / STATEMENT_FILE).is_file()


def verify_export(folder: Path, governance: Governance) -> Verification:
    return _verify_with_trust(folder, trust.trust_from_governance(governance))


def verify_export_from_root(folder: Path, root: str) -> Verification:
    """Verify an export, given a root key fingerprint that the caller received over a separate channel."""
    if not (folder / GOVERNANCE_FOLDER).is_dir():
        absent = Check(about="root of trust", state="missing", text=NO_ADOPTIONS_MESSAGE)
        return _result([absent], root)
    try:
        trusted = trust.trust_from_root(folder, root, GOVERNANCE_FOLDER)
    except verification.CHECK_ERRORS as error:
        return _result([_failed("root of trust", error)], root)
    return _verify_with_trust(folder, trusted)


def _verify_with_trust(folder: Path, trusted: TrustedKeys) -> Verification:
    checks, said = [trusted.root_check], None
    try:
        signed = verify_envelope(
            dsse.parse_envelope(contents.read_file(folder, STATEMENT_FILE), STATEMENT_FILE), EXPORT_KIND, trusted
        )
        trust.require_unrevoked_ledger_key(signed.keyid, trusted, "the export")
        said = signed.document
        checks.append(_passed("statement", _signature_text(signed)))
        _check_files(folder, signed.subjects)
        checks.append(
            _passed("files", f"all {len(signed.subjects)} files are those that were signed, no other is there")
        )
        checks.append(_promotion_check(folder, said, trusted))
        checks.append(_passed("answers", said.describe_answers()))
    except verification.CHECK_ERRORS as error:
        checks.append(_failed("export", error))
    return _result(checks, trusted.root_fingerprint, said)


def _signature_text(signed: SignedDocument[ExportStatement]) -> str:
    said = signed.document
    hub = " for a hub" * said.for_hub
    return (
        f"{said.release} as {said.form}{hub} in {said.dtype}, made {format_time(said.time)} of {said.base_model}, is "
        f"signed by the ledger's key {signed.keyid}"
    )


def _check_files(folder: Path, wanted: dict[str, str]) -> None:
    present = {name for name in contents.file_names(folder) if not PROOF_NAME.fullmatch(name)}
    for what, names in (("missing", wanted.keys() - present), ("not signed", present - wanted.keys())):
        if names:
            raise Refused(f"{what}: {format_names(names)}")
    read = contents.read_files(folder, list(wanted), [])
    if changed := [name for name in wanted if read.digests[name] != wanted[name]]:
        raise Refused(f"changed: {format_names(changed)}")
    read.require_unchanged(set(contents.file_names(folder)) - present)


def _promotion_check(folder: Path, said: ExportStatement, trusted: TrustedKeys) -> Check:
    if not (folder / PROMOTION_FILE).exists():
        text = f"the promotion statement of {said.release} is not here"
        return (
            _passed("release", f"{text}, since it names people")
            if said.for_hub
            else Check(about="release", state="missing", text=text)
        )
    envelope = dsse.parse_envelope(contents.read_file(folder, PROMOTION_FILE), PROMOTION_FILE)
    signed = promotions.verify_promotion(envelope, trusted)
    promoted = signed.promotion
    known = (promoted.label, signed.release_sha256, promoted.environment, promoted.demo)
    if known != (said.release, said.release_sha256, said.environment, said.demo):
        raise Refused(f"{PROMOTION_FILE} promotes another release than the one that was exported")
    return _passed(
        "release", f"{said.release} was promoted in environment {said.environment}, signed by the gate's key"
    )


def _passed(about: str, text: str) -> Check:
    return Check(about=about, state="ok", text=text)


def _failed(about: str, error: Exception) -> Check:
    return Check(about=about, state="no", text=verification.describe_error(error))


def _result(checks: list[Check], root: str, said: ExportStatement | None = None) -> Verification:
    return Verification(
        of="export",
        release=said.release if said else "",
        sha256=said.release_sha256 if said else "",
        demo=said is not None and said.demo,
        root=root,
        checks=checks,
        unchecked=UNVERIFIABLE_CLAIMS,
    )
