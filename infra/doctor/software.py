"""Diagnostics of installed software: Python, packages, programs and the sandbox."""

import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from infra.doctor.finding import Finding
from tasks.policy import judge_install
from tasks.supervise import network, sandbox

PYTHON_VERSIONS = ((3, 11), (3, 12))
PROGRAMS = {"git": "apt install git", "ssh-keygen": "apt install openssh-client"}
INSTALL_COMMAND = "pip install --constraint constraints.txt --editable '.[dev]'"


def check_python(_: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHON_VERSIONS)
    fits = sys.version_info[:2] in PYTHON_VERSIONS
    yield Finding(f"Python {version}", "" if fits else f"make an environment with Python {wanted}: `make PYTHON=…`")


def check_hallmark(_: Path) -> Iterator[Finding]:
    """Report the version and digest of this installation, which policy.yaml can list under `judges`."""
    found = judge_install.current_judge()
    how = ", an editable install: it judges in environment local alone" if found.editable else ""
    yield Finding(f"Hallmark {found.version}, SHA-256 {found.sha256}{how}")


def check_packages(root: Path) -> Iterator[Finding]:
    """Compare the installed packages with Hallmark's requirements and with the versions pinned in constraints.txt."""
    file = root / "constraints.txt"
    pins = list(_pins(file)) if file.exists() else []
    missing = sorted({need.name for need in _requirements() if _version(need.name) is None})
    other = [
        f"{pin.name} {installed} in place of {pin.specifier}"
        for pin in pins
        if (installed := _version(pin.name)) and not pin.specifier.contains(installed, prereleases=True)
    ]
    if missing:
        yield Finding(f"not installed: {', '.join(missing)}", INSTALL_COMMAND)
    if other:
        yield Finding(f"other versions than constraints.txt names: {', '.join(other)}", INSTALL_COMMAND)
    if not (missing or other):
        yield Finding(f"hallmark {_version('hallmark') or '(not installed)'}, {len(pins)} versions as constraints.txt")


def check_programs(_: Path) -> Iterator[Finding]:
    for name, install in PROGRAMS.items():
        if shutil.which(name) is None:
            yield Finding(f"{name} is not there", install)
    if installed := [name for name in PROGRAMS if shutil.which(name)]:
        yield Finding(", ".join(installed))


def check_sandbox(_: Path) -> Iterator[Finding]:
    why = sandbox.unavailable_reason()
    if why is not None:
        yield Finding(why, "only environment local runs without one")
        return
    yield Finding("stages run in a sandbox")
    if open_ports := network.unavailable_reason():
        yield Finding(open_ports, "else a stage with a network reaches every port of this machine")


def _pins(file: Path) -> Iterator[Requirement]:
    for line in file.read_text("utf-8").splitlines():
        try:
            yield Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue


def _requirements() -> Iterator[Requirement]:
    try:
        asked = metadata.requires("hallmark") or []
    except metadata.PackageNotFoundError:
        return
    for need in map(Requirement, asked):
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", "platform")):
            yield need


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
