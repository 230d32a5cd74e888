"""Check a release from its folder and one public key alone: no network, no database, nothing loaded.

First the promotion statement, which lists every file; only where all digests agree is anything else parsed.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError, computed_field

from tasks.config import Frozen
from tasks.errors import HallmarkError, Refused
from tasks.govern import dsse
from tasks.govern.governance import Governance
from tasks.registry import attested, bundle, succession
from tasks.registry.package import SAFE
from tasks.registry.succession import Signed

MAX_STATEMENT_BYTES = 16 * 2**20
"""A promotion statement has some hundred bytes a file; a larger one is not read."""


class Check(Frozen):
    ok: bool
    text: str
    """What was checked and what came out, in words."""


class Verification(Frozen):
    """What was checked. A check that failed ends the verification: what stands behind it means nothing then."""

    release: str
    """Name and version as the statement says; empty where there is no valid one."""
    sha256: str
    """Digest of the release; empty where there is no valid statement."""
    checks: list[Check]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def against(self) -> str:
        """The first check that failed; empty where all hold."""
        return next((check.text for check in self.checks if not check.ok), "")


def verify(folder: Path, gate_public_line: str) -> Verification:
    """Check the release in `folder` against the public key line of the installation that promoted it."""
    checks: list[Check] = []
    signed: Signed | None = None
    try:
        signed = statement(folder, gate_public_line)
        checks.append(Check(ok=True, text=f"the promotion statement of {signed.promotion.label} is signed by the key"))
        for text in _steps(folder, signed, gate_public_line):
            checks.append(Check(ok=True, text=text))
    except (HallmarkError, OSError, ValueError, RecursionError) as error:
        checks.append(Check(ok=False, text=_in_words(error)))
    label, sha256 = (signed.promotion.label, signed.release_sha256) if signed else ("", "")
    return Verification(release=label, sha256=sha256, checks=checks)


def require(folder: Path, governance: Governance) -> Signed:
    """The promotion statement of a release that checks. Raises Refused with the first check that does not hold."""
    checked = verify(folder, governance.gate_public_key())
    if not checked.ok:
        raise Refused(f"the release in {folder} does not verify: {checked.against}")
    signed = statement(folder, governance.gate_public_key())
    if signed.release_sha256 != checked.sha256:
        raise Refused(f"the release in {folder} changed while it was verified")
    return signed


def _in_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"a file does not hold what its name says ({error.errors()[0]['msg']})"
    return str(error) or type(error).__name__


def statement(folder: Path, public_line: str) -> Signed:
    """The promotion statement in a release's folder. Raises Refused where there is none that the key signed."""
    path = folder / bundle.PROMOTION
    if path.is_symlink() or not path.is_file():
        raise Refused(f"{bundle.PROMOTION} is missing; this is no release, or was never promoted")
    if path.stat().st_size > MAX_STATEMENT_BYTES:
        raise Refused(f"{bundle.PROMOTION} has {path.stat().st_size:,} bytes; no promotion statement is that long")
    return succession.verify(dsse.read(path), public_line)


def _steps(folder: Path, signed: Signed, public_line: str) -> Iterator[str]:
    """Each check in words once it holds. Raises Refused, OSError or ValueError where one does not."""
    listing = _files(folder, signed)
    yield f"all {len(listing)} files are those that the statement lists, and no other is there"
    yield _model(listing)
    yield from attested.checks(folder, signed.promotion, listing, public_line)


def _files(folder: Path, signed: Signed) -> dict[str, str]:
    found, wanted = bundle.listing(folder), signed.promotion.files
    for what, names in (
        ("missing", sorted(wanted.keys() - found.keys())),
        ("not listed by the promotion statement", sorted(found.keys() - wanted.keys())),
        ("changed", sorted(name for name in found.keys() & wanted.keys() if found[name] != wanted[name])),
    ):
        if names:
            raise Refused(f"{what}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")
    if bundle.release_digest(found) != signed.release_sha256:
        raise Refused("the digest of the files is not the one that the promotion statement is about")
    if bundle.part_digest(found, bundle.PAYLOAD) != signed.promotion.payload_sha256:
        raise Refused("the digest of the payload is not the one in the promotion statement")
    return found


def _model(listing: dict[str, str]) -> str:
    names = [name for name in listing if name.startswith(f"{bundle.PAYLOAD}/model/")]
    unsafe = [name for name in names if Path(name).suffix not in SAFE]
    if unsafe or not names:
        raise Refused(f"payload/model holds more than safetensors, JSON and a chat template: {', '.join(unsafe)}")
    return "the model is safetensors and JSON; nothing in it can run code when it is loaded"
