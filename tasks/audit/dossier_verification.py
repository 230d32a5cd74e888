"""Verification of a dossier, given only its folder and the fingerprint of the root key.

No network, database or project is needed. The steps are:

1. Verify the adoptions, which determine the valid keys.
2. Verify the signature, which covers the digest of every file, and then these digests. Parse files only then.
3. Compare each claim with its files and each ledger entry with its proof, and verify the release.
"""

from collections.abc import Iterator
from pathlib import Path

from tasks.audit import dossier_signature
from tasks.audit.artifacts import GOVERNANCE_FOLDER, LEDGER_FOLDER, RELEASE_FOLDER
from tasks.audit.dossier import Artifact, Dossier
from tasks.audit.dossier_signature import SIGNATURE_FILE, DossierSignature
from tasks.audit.entry_proofs import parse_proof, proof_matches_entry
from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.core.json_text import parse_bounded
from tasks.ledger import proof as ledger_proof
from tasks.ledger.ledger import Entry
from tasks.policy.governance import Governance
from tasks.policy.signed_document import SignedDocument
from tasks.registry.release import contents
from tasks.registry.release.contents import FolderContents, format_names
from tasks.registry.release.report import Check, Verification
from tasks.registry.verify import trust, verification
from tasks.registry.verify.trust import TrustedKeys

DOCUMENT_FILE = "dossier.json"
PROOF_SUFFIX = ".proof.json"
UNSIGNED_MESSAGE = "nobody signed this dossier: its story may be anybody's; the release in it was checked by itself"


def verify_dossier(folder: Path, governance: Governance) -> Verification:
    if not (folder / SIGNATURE_FILE).is_file():
        return _with_missing_signature(verification.verify_release(folder / RELEASE_FOLDER, governance))
    return _verify_with_trust(folder, trust.trust_from_governance(governance))


def verify_dossier_from_root(folder: Path, root: str) -> Verification:
    """Verify a dossier, given a root key fingerprint that the caller received over a separate channel."""
    if not (folder / SIGNATURE_FILE).is_file():
        return _with_missing_signature(verification.verify_from_root(folder / RELEASE_FOLDER, root))
    try:
        trusted = trust.trust_from_root(folder, root, GOVERNANCE_FOLDER)
    except verification.CHECK_ERRORS as error:
        against = Check(about="root of trust", state="no", text=verification.describe_error(error))
        return _verification_result([against], root)
    return _verify_with_trust(folder, trusted)


def _with_missing_signature(release: Verification) -> Verification:
    check = Check(about="dossier", state="missing", text=UNSIGNED_MESSAGE)
    return release.model_copy(update={"of": "dossier", "checks": [check, *release.checks]})


def _verify_with_trust(folder: Path, trusted: TrustedKeys) -> Verification:
    checks, release = [trusted.root_check], None
    try:
        signed = dossier_signature.verify_signature(contents.read_file(folder, SIGNATURE_FILE), trusted)
        checks.append(_passed_check("dossier", _signature_text(signed)))
        files = _read_signed_files(folder, signed)
        checks.append(
            _passed_check("dossier", f"all {len(signed.subjects)} files are those that were signed, no other is there")
        )
        checks += _check_claims(files, signed)
        checks += _check_entries(files, trusted)
        release = verification.verify_with_trust(folder / RELEASE_FOLDER, trusted)
        checks += release.checks[1:]  # without its first, the root of trust, which the list has
        if release.verdict != "invalid":
            checks.append(_passed_check("dossier", _check_release(signed.document, release)))
        files.require_unchanged()
    except verification.CHECK_ERRORS as error:
        checks.append(Check(about="dossier", state="no", text=verification.describe_error(error)))
    return _verification_result(checks, trusted.root_fingerprint, release)


def _verification_result(checks: list[Check], root: str, release: Verification | None = None) -> Verification:
    known = release or Verification(
        release="", sha256="", root=root, checks=[], unchecked=verification.UNVERIFIABLE_CLAIMS
    )
    return known.model_copy(update={"of": "dossier", "checks": checks})


def _signature_text(signed: SignedDocument[DossierSignature]) -> str:
    said = signed.document
    when = f"ledger entry {said.last_entry}, {format_time(said.time)}"
    return f"the dossier of {said.release} as of {when}, is signed by the ledger's key {signed.keyid}"


def _read_signed_files(folder: Path, signed: SignedDocument[DossierSignature]) -> FolderContents:
    wanted = signed.subjects
    contents.require_portable_names(wanted)
    present = set(contents.file_names(folder)) - {SIGNATURE_FILE}
    for what, names in (("missing", wanted.keys() - present), ("not signed", present - wanted.keys())):
        if names:
            raise Refused(f"{what}: {format_names(names)}")
    parsed = [name for name in wanted if name == DOCUMENT_FILE or name.startswith(f"{LEDGER_FOLDER}/")]
    files = contents.read_files(folder, [*wanted, SIGNATURE_FILE], parsed)
    if changed := [name for name in wanted if files.digests[name] != wanted[name]]:
        raise Refused(f"changed: {format_names(changed)}")
    return files


def _check_claims(files: FolderContents, signed: SignedDocument[DossierSignature]) -> Iterator[Check]:
    """Verify that the dossier is about the signed release and that its files support every claim."""
    story, said = Dossier.from_bytes(files.file_bytes(DOCUMENT_FILE)), signed.document
    if (story.release, story.release_sha256, story.demo) != (said.release, said.release_sha256, said.demo):
        raise Refused(f"{DOCUMENT_FILE} is about another release than the signature, or calls it another's decision")
    claims = [claim for chapter in story.chapters for claim in chapter.claims]
    for claim in claims:
        if any(not _is_here(artifact, signed.subjects) for artifact in claim.artifacts):
            raise Refused(f"claim {claim.number} of {DOCUMENT_FILE} rests on a file that is not here")
    yield _passed_check("dossier", f"each of {len(claims)} claims rests on files that are here, by digest")


def _is_here(artifact: Artifact, files: dict[str, str]) -> bool:
    return files.get(artifact.path) == artifact.sha256 and (artifact.proof is None or artifact.proof in files)


def _check_entries(files: FolderContents, trusted: TrustedKeys) -> Iterator[Check]:
    """Verify that each ledger entry matches its proof, and that the proof leads to a signed head."""
    names = [name for name in files.names_below(LEDGER_FOLDER) if not name.endswith(PROOF_SUFFIX)]
    bare = []
    for name in names:
        entry = Entry.model_validate(parse_bounded(files.file_bytes(name), ledger_proof.MAX_JSON_VALUES))
        where = f"{name.removesuffix('.json')}{PROOF_SUFFIX}"
        if where not in files.digests:
            bare.append(str(entry.seq))
            continue
        proof = parse_proof(files.file_bytes(where))
        ledger_proof.verify_proof(proof, trusted.ledger_keys)
        if not proof_matches_entry(proof, entry):
            raise Refused(f"{name} is not the entry that its proof is about")
    proven = len(names) - len(bare)
    yield _passed_check("ledger entries", f"{proven} of {len(names)} are what their proofs lead to a signed head")
    if bare:
        text = f"no proof that a signed head covers entries {', '.join(bare)}"
        yield Check(about="ledger entries", state="missing", text=text)


def _check_release(signature: DossierSignature, release: Verification) -> str:
    if (signature.release, signature.release_sha256, signature.demo) != (release.release, release.sha256, release.demo):
        raise Refused("the release in the dossier is another than the one that was signed for")
    return f"its story is about this release{', which demo identities let through' * signature.demo}"


def _passed_check(about: str, text: str) -> Check:
    return Check(about=about, state="ok", text=text)
