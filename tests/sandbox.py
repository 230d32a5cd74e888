"""Sandbox in which tests execute code."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tasks.supervise import sandbox, system_call_filter
from tasks.supervise.limits import Limits
from tasks.supervise.sandbox import Sandbox
from tests.patience import patience


def has_namespaces() -> bool:
    """Return whether bubblewrap can create a sandbox here, without Hallmark's own check, which may be wrong."""
    words = ("bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "true")
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needs_sandbox = pytest.mark.skipif(not has_namespaces(), reason="bubblewrap can make no sandbox here")


def make(place: Path, **more: Any) -> Sandbox:
    """Return the sandbox of a run's worktree with one file of code and an empty folder for each kind of output."""
    root = place / "checkout" / ".hallmark" / "runs" / "r1"
    tree, outputs, measured = (place / "box" / name for name in ("tree", "artefacts", "measured"))
    for folder in (root, tree / "artefacts", tree / "measured", outputs, measured):
        folder.mkdir(parents=True)
    (tree / "code.py").write_text("as reviewed\n")
    return Sandbox(root=root, code_folder=tree, output_folder=outputs, measurement_folder=measured, **more)


def inside(made: Sandbox, source: str) -> Any:
    """Execute Python code in the sandbox and return its variable `found`."""
    words = [sys.executable, "-I", "-c", f"import json\n{source}\nprint(json.dumps(found))"]
    with system_call_filter.open_filter() as handle:
        done = subprocess.run(
            sandbox.sandbox_command(made, words, handle), env=sandbox.sandbox_environment(made),
                            pass_fds=sandbox.inherited_descriptors(handle, made),
            capture_output=True, text=True, timeout=patience(60),
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


PROBES = """
import os, sys
found = {}
for name, source in SOURCES.items():
    read, write = os.pipe()
    if not (pid := os.fork()):
        given = {"__name__": "__main__"}
        exec(source, given)
        os.write(write, json.dumps(given["found"]).encode())
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    found[name] = json.loads(said) if said else "ended"
"""


def inside_each(made: Sandbox, sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the result of `inside` for each source by name, or "ended" if its process did not reach the end.

    All sources run in one sandbox, one after another, each in a forked process.
    """
    found: dict[str, Any] = inside(made, PROBES.replace("SOURCES", repr(dict(sources))))
    return found


SUPERVISED = """
import json, sys
from pathlib import Path
from tasks.core.errors import Unavailable
from tasks.supervise import limits, process
given = json.loads(sys.argv[1])
over = limits.create_limit_check(limits.Limits(**given), Path(sys.argv[2]))
try:
    process.run_process(sys.argv[3:], {}, None, limit_check=over)
except Unavailable as error:
    print(error)
"""


def supervised(made: Sandbox, source: str, given: Limits) -> str:
    """Execute Python code in the sandbox under supervision, and return the output of the supervisor's process."""
    command = sandbox.sandbox_command(made, [sys.executable, "-I", "-c", source])
    words = [sys.executable, "-c", SUPERVISED, json.dumps(asdict(given)), str(made.output_folder), *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=patience(120)).stdout
