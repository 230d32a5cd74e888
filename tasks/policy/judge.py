"""Which Hallmark judges here: the installed packages as they lie there, by one digest.

An editable install runs what lies in a checkout, which a commit or an editor changes between two gates. It judges in
environment `local` alone.
"""

import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tasks.core import version
from tasks.core.config import Frozen
from tasks.core.errors import Refused
from tasks.core.files import canonical_json, sha256_bytes, sha256_file
from tasks.core.params.values import Sha256
from tasks.policy.policy import LOCAL, Policy

PACKAGES = ("flows", "infra", "tasks")
HOME = Path(__file__).parents[2]
"""Where they lie."""


class Judge(Frozen):
    version: str
    sha256: Sha256
    """Of every file of its packages, bytecode apart."""
    editable: bool

    def __str__(self) -> str:
        how = "an editable install" if self.editable else "installed"
        return f"Hallmark {self.version}, {how}, SHA-256 {self.sha256[:12]}"


@cache
def here() -> Judge:
    """As it was when this process looked first: what it runs."""
    return Judge(version=version.HALLMARK, sha256=digest(HOME), editable=_is_editable())


def digest(home: Path) -> str:
    """SHA-256 of the packages below a folder, bytecode apart."""
    files = {
        path.relative_to(home).as_posix(): sha256_file(path)
        for package in PACKAGES
        for path in sorted((home / package).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sha256_bytes(canonical_json(files))


def require(policy: Policy) -> None:
    """Raises Refused where this Hallmark may not judge."""
    if why := why_not(here(), policy):
        raise Refused(why)


def why_not(judge: Judge, policy: Policy) -> str:
    """Why a Hallmark may not judge under a policy, in words; empty where it may."""
    if policy.environment == LOCAL:
        return ""
    if judge.editable:
        return (
            f"{judge} in {HOME}, judges in environment {LOCAL} alone: whoever edits that folder changes the gates; "
            f"for {policy.environment} install it from a clone: pip install -c constraints.txt '.[platform]'"
        )
    if policy.judges and judge.sha256 not in policy.judges:
        return (
            f"{judge}, is none of those that policy names under `judges`; install one of them, or have {judge.sha256} "
            "adopted there"
        )
    return ""


def _is_editable() -> bool:
    """Whether it runs from anywhere but where this Python has what was installed; a checkout may hold what looks like
    an installation."""
    places = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    homes = {HOME.resolve(), *(_found(package) for package in PACKAGES)}
    return not homes <= places or len(homes) > 1


def _found(package: str) -> Path:
    """The folder that a package is imported from, whatever links lead there."""
    spec = find_spec(package)
    return Path(spec.origin).resolve().parents[1] if spec and spec.origin else Path()
