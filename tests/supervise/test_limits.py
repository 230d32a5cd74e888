"""A stage that takes too much of its machine is ended, with all that it started, and it is said why."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tasks.supervise import limits
from tasks.supervise.limits import Limits
from tests.sandbox import make, needs_sandbox, supervised

ENDLESS = 1e9
FREE = Limits(
    max_processes=10**6, min_memory_share=0, min_disk_share=0, max_seconds=ENDLESS, enough_free_bytes=ENDLESS * 2**20
)


def test_nothing_is_over_on_a_machine_at_rest(tmp_path: Path) -> None:
    assert limits.create_limit_check(Limits(), tmp_path)() is None


@pytest.mark.parametrize(
    ("one", "why"),
    [
        ({"min_memory_share": 1.0}, r"the machine has .* GiB of memory left, of "),
        ({"min_disk_share": 1.0}, r"the disk of .* has .* GiB left, of "),
        ({"max_seconds": -1.0}, r"it has run for -0\.0002\d* hours"),
        ({"max_processes": -1000}, r"it has started -?\d+ processes, and may have -1,000"),
    ],
)
def test_each_limit_is_told(tmp_path: Path, one: dict[str, float], why: str) -> None:
    import re

    told = limits.create_limit_check(replace(FREE, **one), tmp_path)()  # type: ignore[arg-type]
    assert told and re.match(why, told), told


FORKS = """
import os, time
for _ in range(400):
    if os.fork() == 0:
        time.sleep(600)
time.sleep(600)
"""
FILLS = """
import time
with open("artefacts/fill", "wb") as file:
    while True:
        file.write(b"x" * 2**20)
        file.flush()
        time.sleep(0.02)
"""


@needs_sandbox
@pytest.mark.attack(rights="stage", stopped="its supervisor ends what takes too much of the machine")
@pytest.mark.parametrize("how", ["forks away", "fills the disk"])
def test_what_takes_too_much_is_ended_whole(tmp_path: Path, how: str) -> None:
    made = make(tmp_path)
    disk = psutil.disk_usage(str(tmp_path))
    given = (
        replace(FREE, max_processes=200) if how == "forks away"
        else replace(FREE, min_disk_share=(disk.free - 30 * 2**20) / disk.total)
    )  # fmt: skip
    told = supervised(made, FORKS if how == "forks away" else FILLS, given)
    assert "it was ended, since" in told, told
    assert not [it for it in psutil.process_iter(["cmdline"]) if str(made.output_folder) in (it.info["cmdline"] or [])]
