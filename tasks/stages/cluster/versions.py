"""Versions that may change weights and answers, the same on every machine that a stage works on."""

import importlib.metadata
import platform
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from tasks.core.config import Frozen
from tasks.core.errors import InputError

LIBRARIES = ("torch", "transformers", "peft", "deepspeed", "tokenizers", "numpy")
OPTIONAL = ("bitsandbytes", "flash-attn", "liger-kernel", "triton")


class Versions(Frozen):
    python: str
    libraries: dict[str, str]

    def require_here(self, builds: bool = True) -> None:
        """Raises InputError where this machine has others than the one that the stage was started on.

        `builds`: another build counts as another version. Else torch may be one for CPUs (2.9.1+cpu) on one of them."""
        pairs = [pair for pair in self._pairs(of_here(self.libraries)) if builds or not alike(*pair)]
        other = [f"{name} {have} in place of {want}" for name, want, have in pairs if want != have]
        if other:
            raise InputError(
                f"the machine {socket.gethostname()} has {', '.join(other)}; every machine of the cluster needs the "
                "versions of the one that starts the stage"
            )

    def _pairs(self, here: "Versions") -> list[tuple[str, str, str]]:
        libraries = [(name, want, here.libraries.get(name, NONE)) for name, want in self.libraries.items()]
        return [("Python", self.python, here.python), *libraries]


NONE = "none"


def alike(name: str, one: str, other: str) -> bool:
    """They differ in the build of torch at most."""
    return name == "torch" and one.partition("+")[0] == other.partition("+")[0]


def require_alike(workers: Sequence[tuple[str, Versions]], rank: int) -> None:
    """`workers`: machine and versions of each. Raises InputError where those of `rank` are not those of most,
    be it in a build or in a library that only some have: they might not compute the same."""
    machine, own = workers[rank]
    everyones = [theirs for _, theirs in workers]
    first, its = max(workers, key=lambda worker: everyones.count(worker[1]))  # of equally many the first
    names = sorted(its.libraries.keys() | own.libraries.keys())
    pairs = [(name, its.libraries.get(name, NONE), own.libraries.get(name, NONE)) for name in names]
    if other := [f"{name} {have} where {first} has {want}" for name, want, have in pairs if want != have]:
        raise InputError(f"machines of workers differ: {machine} has {', '.join(other)}; install the same on all")


def _installed(also: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys((*LIBRARIES, *OPTIONAL, *also)):
        with suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def of_here(also: Iterable[str] = ()) -> Versions:
    """`also`: libraries besides those that every stage needs, as far as they are installed."""
    python = ".".join(platform.python_version_tuple()[:2])
    return Versions(python=python, libraries=dict(_installed(also)))
