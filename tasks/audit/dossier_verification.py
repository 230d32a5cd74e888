"""Verification of a dossier from its folder and the root key's fingerprint, without network, database or project.

The adoptions are verified first, because they determine which keys are valid, and then the signature, which lists every
file by digest. Other files are parsed only after all digests were verified: each ledger entry is compared with its
proof, each claim with its files, and the release is verified.
"""

from collections.abc import Iterator
from pathlib import Path

from tasks.audit import dossier_signature
from tasks.audit.artifacts import GOVERNANCE, LEDGER, RELEASE
from tasks.audit.dossier import Artifact, Dossier
from tasks.audit.dossier_signature import FILE_NAME, DossierSignature
from tasks.audit.entry_proofs import matches, parse_proof
from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.core.json_text import parse_bounded
from tasks.ledger import proof as ledger_proof
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument
from tasks.registry.release import contents
from tasks.registry.release.contents import Contents, display_names
from tasks.registry.release.report import Check, Verification
from tasks.registry.verify import trust, verification
from tasks.registry.verify.trust import Trust

DOCUMENT = "dossier.json"
PROOF = ".proof.json"
UNSIGNED = "nobody signed this dossier: its story may be anybody's; the release in it was checked by itself"


def verify(folder: Path, governance: Governance) -> Verification:
    if not (folder / FILE_NAME).is_file():
        return _with_missing_signature(verification.verify(folder / RELEASE, governance))
    return _verify(folder, trust.from_governance(governance))


def verify_from_root(folder: Path, root: str) -> Verification:
    """Verify a dossier with the fingerprint of the root key, which the caller received by a separate channel."""
    if not (folder / FILE_NAME).is_file():
        return _with_missing_signature(verification.verify_from_root(folder / RELEASE, root))
    try:
        trusted = trust.from_root(folder, root, GOVERNANCE)
    except verification.CHECK_ERRORS as error:
        against = Check(about="root of trust", state="no", text=verification.describe_error(error))
        return _result([against], root)
    return _verify(folder, trusted)


def _with_missing_signature(release: Verification) -> Verification:
    check = Check(about="dossier", state="missing", text=UNSIGNED)
    return release.model_copy(update={"of": "dossier", "checks": [check, *release.checks]})


def _verify(folder: Path, trusted: Trust) -> Verification:
    checks, release = [trusted.check], None
    try:
        signed = dossier_signature.read(contents.read_one(folder, FILE_NAME), trusted)
        checks.append(_ok("dossier", _signed_by(signed)))
        files = _read_signed_files(folder, signed)
        checks.append(_ok("dossier", f"all {len(signed.subjects)} files are those that were signed, no other is there"))
        checks += _check_claims(files, signed)
        checks += _check_entries(files, trusted)
        release = verification.verify_with_trust(folder / RELEASE, trusted)
        checks += release.checks[1:]  # without its first, the root of trust, which the list has
        if release.verdict != "invalid":
            checks.append(_ok("dossier", _check_release(signed.document, release)))
        files.require_unchanged()
    except verification.CHECK_ERRORS as error:
        checks.append(Check(about="dossier", state="no", text=verification.describe_error(error)))
    return _result(checks, trusted.root, release)


def _result(checks: list[Check], root: str, release: Verification | None = None) -> Verification:
    known = release or Verification(release="", sha256="", root=root, checks=[], unchecked=verification.NOT_VERIFIABLE)
    return known.model_copy(update={"of": "dossier", "checks": checks})


def _signed_by(signed: SignedDocument[DossierSignature]) -> str:
    said = signed.document
    when = f"ledger entry {said.last_entry}, {format_time(said.time)}"
    return f"the dossier of {said.release} as of {when}, is signed by the ledger's key {signed.keyid}"


def _read_signed_files(folder: Path, signed: SignedDocument[DossierSignature]) -> Contents:
    wanted = signed.subjects
    contents.require_portable_names(wanted)
    present = set(contents.file_names(folder)) - {FILE_NAME}
    for what, names in (("missing", wanted.keys() - present), ("not signed", present - wanted.keys())):
        if names:
            raise Refused(f"{what}: {display_names(names)}")
    parsed = [name for name in wanted if name == DOCUMENT or name.startswith(f"{LEDGER}/")]
    files = contents.read(folder, [*wanted, FILE_NAME], parsed)
    if changed := [name for name in wanted if files.digests[name] != wanted[name]]:
        raise Refused(f"changed: {display_names(changed)}")
    return files


def _check_claims(files: Contents, signed: SignedDocument[DossierSignature]) -> Iterator[Check]:
    """Verify that the dossier is about the signed release and that its files support every claim."""
    story, said = Dossier.from_bytes(files.bytes(DOCUMENT)), signed.document
    if (story.release, story.release_sha256, story.demo) != (said.release, said.release_sha256, said.demo):
        raise Refused(f"{DOCUMENT} is about another release than the signature, or calls it another's decision")
    claims = [claim for chapter in story.chapters for claim in chapter.claims]
    for claim in claims:
        if any(not _is_here(artifact, signed.subjects) for artifact in claim.artifacts):
            raise Refused(f"claim {claim.number} of {DOCUMENT} rests on a file that is not here")
    yield _ok("dossier", f"each of {len(claims)} claims rests on files that are here, by digest")


def _is_here(artifact: Artifact, files: dict[str, str]) -> bool:
    return files.get(artifact.path) == artifact.sha256 and (artifact.proof is None or artifact.proof in files)


def _check_entries(files: Contents, trusted: Trust) -> Iterator[Check]:
    """Verify that each ledger entry is the one in its proof, and that the proof leads to a signed head."""
    names = [name for name in files.below(LEDGER) if not name.endswith(PROOF)]
    bare = []
    for name in names:
        entry = Entry.model_validate(parse_bounded(files.bytes(name), ledger_proof.MAX_JSON_VALUES))
        where = f"{name.removesuffix('.json')}{PROOF}"
        if where not in files.digests:
            bare.append(str(entry.seq))
            continue
        proof = parse_proof(files.bytes(where))
        ledger_proof.verify(proof, trusted.ledger_keys)
        if not matches(proof, entry):
            raise Refused(f"{name} is not the entry that its proof is about")
    proven = len(names) - len(bare)
    yield _ok("ledger entries", f"{proven} of {len(names)} are what their proofs lead to a signed head")
    if bare:
        text = f"no proof that a signed head covers entries {', '.join(bare)}"
        yield Check(about="ledger entries", state="missing", text=text)


def _check_release(said: DossierSignature, release: Verification) -> str:
    if (said.release, said.release_sha256, said.demo) != (release.release, release.sha256, release.demo):
        raise Refused("the release in the dossier is another than the one that was signed for")
    return f"its story is about this release{', which demo identities let through' * said.demo}"


def _ok(about: str, text: str) -> Check:
    return Check(about=about, state="ok", text=text)
