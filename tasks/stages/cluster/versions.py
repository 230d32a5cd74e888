"""Check that all machines of a stage have the same versions of the libraries that affect weights and answers."""

import importlib.metadata
import platform
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError

REQUIRED_LIBRARIES = ("torch", "transformers", "peft", "deepspeed", "tokenizers", "numpy")
OPTIONAL_LIBRARIES = ("bitsandbytes", "flash-attn", "liger-kernel", "triton")


class LibraryVersions(FrozenModel):
    python: str
    libraries: dict[str, str]

    def require_installed(self, compare_builds: bool = True) -> None:
        """Verify that this machine has the versions of the machine that started the stage.

        Args:
            compare_builds: Whether the builds of torch must be equal too. If not, a machine can have another build,
                such as 2.9.1+cpu.

        Raises:
            InputError: A version differs or a library is missing.
        """
        pairs = [
            pair
            for pair in self._version_pairs(installed_versions(self.libraries))
            if compare_builds or not is_same_torch_release(*pair)
        ]
        other = [f"{name} {have} in place of {want}" for name, want, have in pairs if want != have]
        if other:
            raise InputError(
                f"the machine {socket.gethostname()} has {', '.join(other)}; every machine of the cluster needs the "
                "versions of the one that starts the stage"
            )

    def _version_pairs(self, installed: "LibraryVersions") -> list[tuple[str, str, str]]:
        libraries = [
            (name, want, installed.libraries.get(name, NOT_INSTALLED)) for name, want in self.libraries.items()
        ]
        return [("Python", self.python, installed.python), *libraries]


NOT_INSTALLED = "none"


def is_same_torch_release(name: str, one: str, other: str) -> bool:
    """Return whether both versions are of torch and differ at most in their build, such as 2.9.1 and 2.9.1+cpu."""
    return name == "torch" and one.partition("+")[0] == other.partition("+")[0]


def require_majority_versions(workers: Sequence[tuple[str, LibraryVersions]], rank: int) -> None:
    """Verify that a worker has the same library versions as most workers, including builds and optional libraries.

    Args:
        workers: Machine name and library versions of each worker, by rank.
        rank: Rank of the worker to verify.

    Raises:
        InputError: The versions differ, so this worker's results could differ too.
    """
    machine, own = workers[rank]
    everyones = [theirs for _, theirs in workers]
    first, its = max(workers, key=lambda worker: everyones.count(worker[1]))  # in a tie the first worker
    names = sorted(its.libraries.keys() | own.libraries.keys())
    pairs = [(name, its.libraries.get(name, NOT_INSTALLED), own.libraries.get(name, NOT_INSTALLED)) for name in names]
    if other := [f"{name} {have} where {first} has {want}" for name, want, have in pairs if want != have]:
        raise InputError(f"machines of workers differ: {machine} has {', '.join(other)}; install the same on all")


def _installed_libraries(more_libraries: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys((*REQUIRED_LIBRARIES, *OPTIONAL_LIBRARIES, *more_libraries)):
        with suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def installed_versions(more_libraries: Iterable[str] = ()) -> LibraryVersions:
    python = ".".join(platform.python_version_tuple()[:2])
    return LibraryVersions(python=python, libraries=dict(_installed_libraries(more_libraries)))
