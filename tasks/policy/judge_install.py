"""The Hallmark install that judges gates, identified by the digest of its packages, and whether policy accepts it.

An editable install runs the files of a checkout, which a commit or an editor can change between two gates. It is
allowed to judge gates only in environment `local`.
"""

import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tasks.core import own_packages, version
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes, sha256_file
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Sha256
from tasks.policy.policy import LOCAL_ENVIRONMENT, Policy


class JudgeInstall(FrozenModel):
    version: str
    sha256: Sha256
    """Digest of all files of the packages except bytecode."""
    editable: bool

    def __str__(self) -> str:
        how = "an editable install" if self.editable else "installed"
        return f"Hallmark {self.version}, {how}, SHA-256 {self.sha256[:12]}"


@cache
def current_judge() -> JudgeInstall:
    """Return the Hallmark install that this process runs. It is determined only at the first call."""
    return JudgeInstall(
        version=version.VERSION, sha256=packages_digest(own_packages.PACKAGES_PARENT), editable=_is_editable()
    )


def packages_digest(home: Path, packages: Iterable[str] = own_packages.TOP_PACKAGES) -> str:
    files = {
        path.relative_to(home).as_posix(): sha256_file(path)
        for package in packages
        for path in sorted((home / package).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sha256_bytes(canonical_json(files))


def require_accepted_judge(policy: Policy) -> None:
    if why := refusal_reason(current_judge(), policy):
        raise Refused(why)


def refusal_reason(judge: JudgeInstall, policy: Policy) -> str:
    if policy.environment == LOCAL_ENVIRONMENT:
        return ""
    if judge.editable:
        return (
            f"{judge} in {own_packages.PACKAGES_PARENT}, judges in environment {LOCAL_ENVIRONMENT} alone: "
            "whoever edits that folder changes "
            f"the gates; for {policy.environment} install it from a clone: pip install -c constraints.txt '.[platform]'"
        )
    if policy.judges and judge.sha256 not in policy.judges:
        return (
            f"{judge}, is none of those that policy names under `judges`; install one of them, or have {judge.sha256} "
            "adopted there"
        )
    return ""


def _is_editable() -> bool:
    """Return whether the packages run from a folder other than this Python's own folder of installed packages.

    Only the location is checked, because a checkout can contain folders that look like an installed package.
    """
    places = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    homes = {own_packages.PACKAGES_PARENT.resolve(), *map(_package_home, own_packages.TOP_PACKAGES)}
    return not homes <= places or len(homes) > 1


def _package_home(package: str) -> Path:
    spec = find_spec(package)
    return Path(spec.origin).resolve().parents[1] if spec and spec.origin else Path()
