"""Dossier as a folder and as a zip file of that folder.

index.html      history of the release, for people
dossier.json    the same history, for programs
SHA256SUMS      digest of every other file except the signature, in the format of `sha256sum --check`
release/        folder of the release
ledger/         ledger entries that claims refer to, with their proofs
governance/     adoptions of policy and people, which determine the valid keys
signature.json  digests of all of these files, signed with the ledger's key (dossier_signature.py)
"""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.audit import chapters, controls, dossier_signature, gaps, html_page
from tasks.audit.artifacts import GOVERNANCE_FOLDER, RELEASE_FOLDER, ArtifactCollection
from tasks.audit.data_access import data_access_chapter
from tasks.audit.decisions import decisions_chapter
from tasks.audit.dossier import Dossier
from tasks.audit.dossier_signature import DossierSignature
from tasks.audit.later_events import describe_present_state, later_events_chapter
from tasks.audit.release_facts import ReleaseFacts
from tasks.audit.timeline import make_timeline
from tasks.core import files
from tasks.core.errors import InputError
from tasks.core.formatting import format_exact_time
from tasks.registry.release import bundle
from tasks.registry.verify import omitted_weights
from tasks.trust import dsse, keys
from tasks.trust.keys import Signer

PAGE_FILE, DOCUMENT_FILE, SUMS_FILE = "index.html", "dossier.json", "SHA256SUMS"
CHAPTERS = (chapters.request_chapter, chapters.data_chapter, chapters.checks_chapter, chapters.training_chapter,
            chapters.metrics_chapter, decisions_chapter,
         chapters.promotion_chapter, later_events_chapter, data_access_chapter)  # fmt: skip
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Modification time of every file in the archive, so that the same files always give the same archive. It is the
earliest time that the zip format can store."""


def write_dossier(
    facts: ReleaseFacts,
    make_proof: Callable[[int], bytes],
    target: Path,
    include_weights: bool = True,
    signer: Signer | None = None,
) -> tuple[Dossier, Path]:
    """Write the folder `target` and the file `target`.zip.

    Args:
        facts: Facts about the release.
        make_proof: Function that takes the number of a ledger entry and returns its inclusion proof as JSON.
        target: Folder to write.
        include_weights: Whether to include the model's weights.
        signer: Ledger key. If it is None, the dossier is unsigned, and says so.

    Returns:
        The dossier, and the path of the zip file.

    Raises:
        InputError: The folder or zip file exists and is not a dossier, or the folder contains a file that is not part
            of the dossier.
    """
    _require_replaceable(target)
    folder = Path(facts.release.bundle)
    shelf = ArtifactCollection(folder, make_proof)
    dossier = compose_dossier(facts, shelf, keys.fingerprint(signer.public_line) if signer else "")
    with files.atomic_folder(target) as unfinished:
        copied = unfinished / RELEASE_FOLDER
        more = [gaps.not_copied_message(name) for name in _copy_plain_files(folder, copied)]
        if not include_weights:
            more.append(gaps.weights_left_out_message(copied))
            _remove_weights(copied)
        dossier = dossier.model_copy(update={"missing": [*dossier.missing, *more]})
        for name, data in shelf.contents_by_path.items():
            files.write_bytes(unfinished / name, data)
        for number, envelope in enumerate(facts.adoptions, start=1):
            dsse.write_envelope(unfinished / GOVERNANCE_FOLDER / f"{number:04}.json", envelope)
        files.write_bytes(unfinished / DOCUMENT_FILE, dossier.serialised)
        digests = files.tree_manifest(unfinished)
        files.write_bytes(unfinished / PAGE_FILE, html_page.render_page(dossier, digests).encode())
        sums = files.tree_manifest(unfinished)
        files.write_bytes(
            unfinished / SUMS_FILE, "".join(f"{sha256}  {name}\n" for name, sha256 in sums.items()).encode()
        )
        if signer:
            dsse.write_envelope(
                unfinished / dossier_signature.SIGNATURE_FILE,
                _sign_dossier(facts, files.tree_manifest(unfinished), signer),
            )
    return dossier, _write_zip(target)


def _sign_dossier(facts: ReleaseFacts, digests: dict[str, str], signer: Signer) -> dict[str, Any]:
    said = DossierSignature(
        release=str(facts.release.label),
        release_sha256=facts.release.sha256,
        environment=facts.environment,
        demo=facts.release.demo,
        last_entry=facts.last_entry,
        time=facts.now,
    )
    return dossier_signature.sign_dossier(said, digests, signer)


def _require_replaceable(target: Path) -> None:
    if not target.exists():
        if _zip_path(target).exists():
            raise InputError(f"{_zip_path(target)} is there; move it away, or name another folder with --to")
        return
    if not (target / DOCUMENT_FILE).is_file() or not (target / SUMS_FILE).is_file():
        raise InputError(f"{target} is there and is no dossier; name another folder with --to")
    lines = (target / SUMS_FILE).read_text("utf-8").splitlines()
    listed = {SUMS_FILE, dossier_signature.SIGNATURE_FILE, *(line.partition("  ")[2] for line in lines)}
    existing = (path.relative_to(target).as_posix() for path in sorted(target.rglob("*")) if not path.is_dir())
    if other := next((name for name in existing if name not in listed), None):
        raise InputError(f"{target / other} is not of this dossier; move it away, or name another folder with --to")


def _zip_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.zip")


def _copy_plain_files(folder: Path, target: Path) -> list[str]:
    """Copy the regular files of a release, and return the names of all other files.

    Links, pipes and devices are not copied, because a link could lead to a private key.
    """
    target.mkdir()
    not_copied = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            not_copied.append(name.as_posix())
        elif path.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            files.copy_file(path, target / name)
    return not_copied


def _remove_weights(folder: Path) -> None:
    if omitted := omitted_weights.weight_files(bundle.list_digests(folder)):
        for name in omitted:
            (folder / name).unlink()
        omitted_weights.write_omitted_weights(folder, omitted)


def compose_dossier(facts: ReleaseFacts, collection: ArtifactCollection, signed_by: str) -> Dossier:
    chapters = [chapter(facts, collection) for chapter in CHAPTERS]
    frameworks = controls.evidence_by_control(chapters)
    card, release = facts.params.use_case, facts.release
    return Dossier(
        release=release.label,
        use_case=card.name,
        problem=card.problem,
        environment=facts.environment,
        tier=release.tier,
        demo=release.demo,
        release_sha256=release.sha256,
        payload_sha256=release.payload_sha256,
        standing=describe_present_state(facts),
        verdict=facts.verification.verdict,
        signed_by=signed_by,
        as_of=f"{format_exact_time(facts.now)}, ledger entry {facts.last_entry}",
        timeline=make_timeline(facts),
        chapters=chapters,
        missing=[*gaps.evidence_gaps(facts, collection, frameworks), *([] if signed_by else [gaps.UNSIGNED_MESSAGE])],
        frameworks=frameworks,
    )


def _write_zip(folder: Path) -> Path:
    target = _zip_path(folder)
    with files.atomic_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", ZIP_TIME)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                with archive.open(entry, "w") as inside, path.open("rb") as outside:
                    shutil.copyfileobj(outside, inside)
    return target
