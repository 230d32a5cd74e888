"""What means more than memory and time have is refused before it is made, at the limits of a source by default."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.runs.requests.source_resolution import resolve_source
from tasks.stages.data.readers import content
from tasks.stages.data.readers.kinds import reader_of
from tests.patience import patience
from tests.stages.data import hostile
from tests.stages.data.build import source

MEGABYTES = 1_000
TIMES = 30
"""How many times longer than `reference` a refusal may take; the slowest of these takes four times as long."""


def refused_at(path: Path, kind: str, **fields: Any) -> str:
    """The message with which the reader refuses the file; empty where it does not."""
    if column := {"chats": "turns", "dotted": "the.turns"}.get(kind):
        kind, fields = "parquet", {"mapping": {"messages": column}, **fields}
    resolved = resolve_source(source(path, kind=kind, **fields), path.parent)
    try:
        with content.open_pinned_content(resolved, path.parent) as pinned:
            for _ in reader_of(kind).read(pinned.file, resolved.source):
                pass
    except InputError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a process of its own, whose memory is its own too, says of each bomb."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (_, _, made) in hostile.BOMBS.items():
        (folder / name).write_bytes(made())
    command = [sys.executable, "-m", __name__, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120))
    assert done.returncode == 0, done.stderr
    return {item["name"]: item for item in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", hostile.BOMBS)
def test_a_bomb_is_refused_at_once(name: str, told: dict[str, dict[str, Any]]) -> None:
    limit = hostile.BOMBS[name][1]
    assert "source src: " in told[name]["said"] and limit in told[name]["said"]
    assert told[name]["seconds"] < TIMES * told[name]["reference"], told[name]
    assert told[name]["megabytes"] < MEGABYTES, told[name]


def test_a_limit_is_named_and_can_be_raised(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"text,label\n" + b"a,b\n" * 50 + b"x" * 5_000 + b",b\n")
    assert "max_row_bytes allows, 1,000; if that is no accident, raise it" in refused_at(
        path, "csv", max_row_bytes=1_000
    )
    assert "max_rows allows, 50; if that is no" in refused_at(path, "csv", max_rows=50)
    assert "max_columns allows, 1; if that is no" in refused_at(path, "csv", max_columns=1)
    assert refused_at(path, "csv", max_rows=51, max_row_bytes=5_003, max_columns=2) == ""


def memory(field: str) -> int:
    """Megabytes of this process: VmRSS, or VmHWM, the most since it was forgotten last."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) // 1024


def reference() -> float:
    """Return the processor seconds of a fixed piece of work, a tenth of a second on a quick machine."""
    begun = time.process_time()
    sum(number * number for number in range(3_000_000))
    return time.process_time() - begun


def main(folder: Path) -> None:
    """Print what each bomb of the folder is refused with, and what that takes."""
    fixed = reference()
    for name, (kind, _, _) in hostile.BOMBS.items():
        Path("/proc/self/clear_refs").write_text("5")  # forgets the most
        before, begun = memory("VmRSS"), time.process_time()
        said = refused_at(folder / name, kind, **hostile.LOWERED.get(name, {}))
        taken = {"seconds": time.process_time() - begun, "megabytes": memory("VmHWM") - before, "reference": fixed}
        print(json.dumps({"name": name, "said": said, **taken}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
