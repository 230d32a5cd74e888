"""Work on several processes: in order, by the same processes for all sources, and no more than may run at once."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.core.machine import resource_limits
from tasks.stages.data.ingest.pool import BatchPool, worker_count


def who(batch: list[int]) -> tuple[int, int]:
    """The first of a batch, and the process that had it."""
    time.sleep(0.05 if batch[0] % 2 else 0)
    return batch[0], os.getpid()


def refuse(batch: list[int]) -> None:
    if batch[0] == 3:
        raise ValueError("no three")


BATCHES = [[number] for number in range(8)]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_WORKERS", "2")


@pytest.mark.usefixtures("two")
def test_processes_are_started_once_for_all_sources() -> None:
    with BatchPool() as pool:
        (alone,) = pool.map_in_order(who, BATCHES[:1])
        assert alone == (0, os.getpid()), "for a single batch none is started"
        first, second = (list(pool.map_in_order(who, BATCHES)) for _ in range(2))
        (last,) = pool.map_in_order(who, BATCHES[:1])
    assert [number for number, _ in first] == [number for number, _ in second] == list(range(8))
    had = {process for _, process in (*first, *second, last)}
    assert len(had) <= 2 and os.getpid() not in had


@pytest.mark.usefixtures("two")
def test_what_work_raises_is_raised_and_ends_the_processes() -> None:
    with pytest.raises(ValueError, match="no three"), BatchPool() as pool:
        list(pool.map_in_order(refuse, BATCHES))


def test_one_worker_is_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_WORKERS", "1")
    with BatchPool() as pool:
        assert {process for _, process in pool.map_in_order(who, BATCHES)} == {os.getpid()}


def quota(folder: Path, text: str, name: str = "cpu.max") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text + "\n")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler gives 64 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("inside", "around", "wanted"),
    [
        ("200000 100000", "max 100000", 2),
        ("150000 100000", "max 100000", 2),
        ("20000 100000", "max 100000", 1),
        ("max 100000", "400000 100000", 4),
        ("800000 100000", "400000 100000", 4),
        ("max 100000", "max 100000", 64),
        ("9900000 100000", "max 100000", 64),
        ("what is this", "", 64),
    ],
)
def test_a_container_has_the_cores_that_its_cgroups_grant(
    tmp_path: Path, inside: str, around: str, wanted: int
) -> None:
    quota(tmp_path / "pods" / "one", inside)
    quota(tmp_path / "pods", around)
    own = tmp_path / "cgroup"
    own.write_text("3:cpuset:/elsewhere\n0::/pods/one\n")
    assert resource_limits.cores(tmp_path, own) == wanted


@pytest.mark.parametrize(
    ("inside", "around", "wanted"),
    [("1000", "max", 1000), ("max", "2000", 2000), ("3000", "2000", 2000), ("x", "", None)],
)
def test_a_container_has_the_memory_that_its_cgroups_grant(
    tmp_path: Path, inside: str, around: str, wanted: int | None
) -> None:
    quota(tmp_path / "pods" / "one", inside, "memory.max")
    quota(tmp_path / "pods", around, "memory.max")
    own = tmp_path / "cgroup"
    own.write_text("0::/pods/one\n")
    assert resource_limits.usable_memory_bytes(tmp_path, own) == (wanted or psutil.virtual_memory().total)


@pytest.mark.usefixtures("many")
def test_a_container_that_sees_its_own_cgroup_as_the_root(tmp_path: Path) -> None:
    quota(tmp_path, "300000 100000")
    (tmp_path / "cgroup").write_text("0::/\n")
    assert resource_limits.cores(tmp_path, tmp_path / "cgroup") == 3


@pytest.mark.usefixtures("many")
def test_a_system_without_cgroups_has_what_the_scheduler_gives(tmp_path: Path) -> None:
    assert resource_limits.cores(tmp_path, tmp_path / "nothing") == 64


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason=f"{sys.platform} binds no process to cores")
def test_a_process_bound_to_one_core_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALLMARK_WORKERS", raising=False)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert worker_count() == 1
    finally:
        os.sched_setaffinity(0, before)
