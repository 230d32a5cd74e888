"""Tests that failed once on a busy machine, though nothing was wrong with what they test, do not fail any more."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import costs

ROOT = Path(__file__).parents[2]
ROUNDS = 10
BUSY_LOOPS = 2
ONCE_FAILED = {
    "console/test_elsewhere.py::test_a_token_about_something_else": "an hour after the tests had begun",
    "console/test_in_a_browser.py::test_a_data_owner_decides_with_the_key_of_their_browser": "a bound of 30 s",
    "console/test_listening.py::test_a_connection_is_used_again": "a limit of one second",
    "console/test_listening.py::test_a_request_has_a_limit_of_time": "a bound of 20 s",
    "e2e/test_production.py::test_a_run_goes_to_production_once_everybody_has_signed": "30 s for a process to end",
    "flows/test_another_machine.py::test_a_parked_run_goes_on_elsewhere": "a bound of 120 s",
    "flows/test_occasions.py::test_a_schedule_and_what_a_killed_process_left_each_make_one_run": "a schedule 8 s ahead",
    "flows/test_pools.py::test_a_machine_of_a_pool_is_killed_and_another_takes_its_run_up": "a bound of 120 s",
    "flows/test_watch.py": "bounds of 30 s; a killed process that still held its run",
    "flows/test_watching.py::test_one_watches_for_all_and_another_takes_over": "a schedule 4 s ahead; a stopped watch",
    "infra/test_chart_starts.py": "a server that was to answer within 9 s",
    "infra/test_ports.py::test_nobody_else_answers_to_the_name": "a port that another process took",
    "infra/test_prefect_access.py": "a process that ended as it was looked at; kills before or after what was meant",
    "infra/test_screen.py::test_what_is_at_work_is_told_with_the_time_since": "a line within .1 s",
    "ledger/test_heads_s3.py::test_a_store_that_is_away_gets_its_heads_later": "a port that another process took",
    "ledger/test_ledger_bounded.py": "a bound of 5 s of processor",
    "runs/test_hold.py::test_who_only_looks_for_a_moment_keeps_nobody_out": "a hold of half a second",
    "stages/data/test_s3.py::test_a_store_that_is_away_is_unavailable": "a port that another process took",
    "stages/evaluate/test_spread.py::test_workers_answer_as_one_process_does_though_one_is_lost": "a worker to be met",
    "stages/train/test_attempts.py::test_where_a_worker_stands_is_sent_and_taken_back_where_it_goes_on": "a short wait",
    "stages/train/test_cluster.py::test_a_raylet_that_ends_before_an_object_is_stored_ends_the_stage": "a race in Ray",
    "stages/train/test_loop.py": "a tolerance of a measured share",
    "stages/train/test_shares.py::test_who_waits_for_another_worker_communicates": "two measured times, .75 s apart",
    "stages/train/test_storage.py::test_a_wrong_key_ends_it_at_once": "a bound of 20 s",
    "stages/train/test_train.py::test_a_killed_stage_leaves_no_worker_and_goes_on_to_the_same_bytes": "a bound of 60 s",
    "supervise/test_limits.py::test_nothing_is_over_on_a_machine_at_rest": "a bound of memory beside others",
    "trust/test_signing.py::test_an_agent_that_does_not_answer_is_away": "a bound of seconds",
    "trust/test_validity.py::test_nor_by_a_clock_set_ahead": "a day that ended meanwhile",
}  # fmt: skip
"""What each hung on, by test, or by file where it was most of its tests."""


@pytest.mark.parametrize("name", ONCE_FAILED)
def test_it_is_still_there(name: str) -> None:
    file, _, test = name.partition("::")
    assert not test or re.search(rf"^def {test}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)


@pytest.fixture
def busy() -> Iterator[None]:
    with ExitStack() as stack:
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)]
        for loop in loops:
            stack.enter_context(loop)
            stack.callback(loop.kill)
        yield


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.usefixtures("busy")
def test_they_pass_beside_busy_loops(number: int) -> None:
    tests = [f"tests/{name}" for name in ONCE_FAILED]
    command = [sys.executable, "-m", "pytest", "-q", "--soak", "too", "-n", "2", "--dist", "loadfile", *tests]
    done = subprocess.run(command, cwd=ROOT, env=costs.own_session(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
