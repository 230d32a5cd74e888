"""What is tried again, how often, and what ends at once; a worker that hangs says where."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import write_json
from tasks.core.params.training import Training
from tasks.stages.train import log_follower, loop
from tasks.stages.train.job import Job
from tasks.stages.train.recovery import attempts, checkpoints, watchdog
from tasks.stages.train.recovery.attempts import MachinesChanged, OutOfMemory, UnfitMachines, WorkersLost
from tasks.stages.train.recovery.checkpoints import Checkpoint
from tests.patience import patience
from tests.stages.train.conftest import MakeJob
from tests.tiny_project import ROOT


def failing(*errors: Exception | None) -> tuple[Callable[[Job], None], list[int]]:
    """A training that fails with one error after the other; and the tokens of each attempt's passes."""
    left, tokens = list(errors), []

    def train(job: Job) -> None:
        tokens.append(job.training.micro_batch_tokens)
        if left and (error := left.pop(0)):
            raise error

    return train, tokens


def test_lost_workers_are_tried_again_within_the_budget(job: MakeJob, capsys: pytest.CaptureFixture[str]) -> None:
    train, tokens = failing(WorkersLost("worker 1 of 2 was lost"), WorkersLost("worker 0 of 2 was lost"), None)
    failures = attempts.train_until_done(job(max_failures=2), train)
    assert [each.reason for each in failures] == ["worker 1 of 2 was lost", "worker 0 of 2 was lost"]
    assert len(tokens) == 3
    assert "worker 1 of 2 was lost; going on from the last checkpoint" in capsys.readouterr().out


def test_beyond_the_budget_it_gives_up_and_says_what_to_do(job: MakeJob) -> None:
    train, tokens = failing(*[WorkersLost("worker 1 of 2 was lost")] * 5)
    with pytest.raises(WorkersLost, match=r"that was loss 2, and training.max_failures is 1. Checkpoints are kept"):
        attempts.train_until_done(job(max_failures=1), train)
    assert len(tokens) == 2


def test_machines_that_come_and_go_with_notice_are_no_failures(job: MakeJob) -> None:
    train, tokens = failing(*[MachinesChanged("a machine is taken away after step 4")] * 3, None)
    failures = attempts.train_until_done(job(max_failures=0), train)
    assert len(failures) == 3 and len(tokens) == 4


def test_lost_are_the_seconds_that_no_checkpoint_holds(job: MakeJob) -> None:
    """A look at the validation rows is work too, and that of a checkpoint's steps is not lost."""
    made = job()
    points = [{"step": step, "loss": 1.0, "seconds": 10.0, "look_seconds": 5.0} for step in (1, 2, 3)]
    made.training_log.write_text("".join(json.dumps(point) + "\n" for point in points))
    assert attempts.create_failure(made, "a worker was lost", 60.0, None).seconds == 60
    written = checkpoints.unfinished_folder(made.checkpoints, 2)
    checkpoints.create_empty_folder(written)
    checkpoints.commit_checkpoint(written, Checkpoint(written, 2, points[:2], 1, {}), {})
    assert attempts.create_failure(made, "a worker was lost", 60.0, None).seconds == 60 - 2 * 15


def test_what_a_person_has_to_mend_ends_it_at_once(job: MakeJob) -> None:
    train, tokens = failing(InputError("lower training.learning_rate"))
    with pytest.raises(InputError, match="lower"):
        attempts.train_until_done(job(), train)
    assert len(tokens) == 1


def test_machines_that_do_not_fit_are_left_out_where_enough_remain(job: MakeJob) -> None:
    seen: list[tuple[str, ...]] = []
    errors: list[Exception] = [
        UnfitMachines("two has torch 1.0", ("b",), 2),
        UnfitMachines("three has torch 1.0", ("c", "d"), 1),
    ]

    def train(job: Job) -> None:
        seen.append(job.unfit_machines)
        if errors:
            raise errors.pop(0)

    made = job(workers=3, least_workers=1, max_failures=2)
    failures = attempts.train_until_done(made, train)
    assert seen == [(), ("b",), ("b", "c", "d")]
    assert [each.reason for each in failures] == [
        "two has torch 1.0; training leaves it out",
        "three has torch 1.0; training leaves it out",
    ]


@pytest.mark.parametrize(
    ("least", "errors"),
    [
        (None, [UnfitMachines("two has torch 1.0", ("b",), 2)]),
        (3, [UnfitMachines("two has torch 1.0", ("b",), 2)]),
        (1, [UnfitMachines("two has torch 1.0", ("a", "b", "c"), 0)]),
        (1, [UnfitMachines("two has torch 1.0", ("b",), 2)] * 2),
        (1, [UnfitMachines("two has torch 1.0", (name,), 2) for name in "bcde"]),
    ],
    ids=["all are needed", "as many are needed", "none fits", "it came again", "others like it come"],
)
def test_where_too_few_machines_fit_it_ends(job: MakeJob, least: int | None, errors: list[Exception]) -> None:
    train, tokens = failing(*errors, None)
    with pytest.raises(InputError, match=r"^two has torch 1.0$"):
        attempts.train_until_done(job(workers=3, least_workers=least), train)
    assert len(tokens) == len(errors)


def test_passes_are_halved_and_who_goes_on_later_knows(job: MakeJob) -> None:
    made = job(micro_batch_tokens=1000, max_failures=0)
    train, tokens = failing(OutOfMemory("out of memory in step 1"), OutOfMemory("out of memory in step 1"), None)
    attempts.train_until_done(made, train)
    assert tokens == [1000, 500, 250]
    again, later = failing(None)
    failures = attempts.train_until_done(made, again)
    assert later == [250] and len(failures) == 2


@pytest.mark.parametrize(
    ("settings", "longest", "taken"),
    [
        ({"micro_batch_tokens": 300}, 140, [300, 150, 75]),
        ({"micro_batch_tokens": 300, "workers": 2, "sequence_parallel": 2}, 140, [300, 150, 75, 37]),
        ({"micro_batch_tokens": 16}, 10, [16]),
    ],
    ids=["alone", "workers together, of whom each has a part", "shorter than the least pass"],
)
def test_where_one_row_is_too_large_it_says_what_else_would_help(
    job: MakeJob, tmp_path: Path, settings: dict[str, int], longest: int, taken: list[int]
) -> None:
    made = replace(job(**settings), rows=tmp_path)
    write_json(tmp_path / "result.json", {"longest": longest})
    train, tokens = failing(*[OutOfMemory("out of memory in step 1")] * 5)
    words = rf"even for the longest row alone \({longest} tokens\); set training.grad"
    with pytest.raises(OutOfMemory, match=words):
        attempts.train_until_done(made, train)
    assert tokens == taken


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()], ids=repr)
def test_a_step_that_does_not_fit_learns_the_same_in_smaller_passes(
    job: MakeJob, trained: MakeJob, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A device on which a pass of more than 300 tokens does not fit."""
    whole, small = trained(global_batch_size=8), job("small", global_batch_size=8, micro_batch_tokens=1000)
    real = loop.collate

    def collate(examples: Any, rows: Any, *given: Any) -> Any:
        if sum(len(examples.row_tokens(row)) for row in rows) > 300:
            raise error
        return real(examples, rows, *given)

    monkeypatch.setattr(loop, "collate", collate)
    failures = attempts.train_until_done(small, loop.run_training)
    assert [each.micro_batch_tokens for each in failures] == [500, 250]
    losses = [[point["loss"] for point in log_follower.read_log(it.training_log)] for it in (whole, small)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


HANG = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from tasks.stages.train.recovery import attempts, watchdog
here = Path(sys.argv[1])
job = SimpleNamespace(checkpoints=here, training_log=here / "record", scratch=here / "scratch", skipped_steps=())
watchdog.FIRST_STEP = 1
with watchdog.run_watchdog(watchdog.StackDestination(here / "stack-1.txt"), 0.5):
    attempts.train_until_done(job, lambda _: time.sleep(1000))
"""


def test_a_worker_that_hangs_is_ended_and_says_where(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANG, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience(60))
    assert done.returncode == 1, done
    assert watchdog.hung_code_lines(tmp_path).startswith("attempts.py:")
    assert "in train_until_done (1)" in watchdog.hung_code_lines(tmp_path)


def test_where_a_worker_stands_is_sent_and_taken_back_where_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a machine that does not see the file; of the thread that trains, not of the one that looks."""
    told: list[str] = []
    sent = threading.Event()

    def send(stack: str) -> None:
        told.append(stack)
        sent.set()

    with watchdog.run_watchdog(watchdog.StackDestination(tmp_path / "stack-0.txt", send), 60) as dog:

        def stand() -> None:
            monkeypatch.setattr(watchdog, "STACK_SECONDS", 59.8)
            dog.feed()
            assert sent.wait(patience(30))

        loop.call_with_out_of_memory_error(stand, 0, Training())
        monkeypatch.setattr(watchdog, "STACK_SECONDS", 0.0)
        dog.feed()
    assert len(told) == 2 and told[1] == ""
    (tmp_path / "stack-0.txt").write_text(told[0])
    assert watchdog.hung_code_lines(tmp_path).startswith(
        "loop.py:"
    ) and "in call_with_out_of_memory_error (0)" in watchdog.hung_code_lines(tmp_path)


def test_a_worker_that_ends_in_time_leaves_nothing_to_say(tmp_path: Path) -> None:
    with watchdog.run_watchdog(watchdog.StackDestination(tmp_path / "stack-0.txt"), 30) as dog:
        dog.feed()
    assert watchdog.hung_code_lines(tmp_path) == ""


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the loss of one step come out as another number."""

    def spoil(step: int, factor: float) -> None:
        real = loop.StepSums.verify_sums

        def close(self: Any, number: int, *given: Any) -> float:
            return real(self, number, *given) * (factor if number == step else 1)

        monkeypatch.setattr(loop.StepSums, "verify_sums", close)

    return spoil


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("factor", "words"), [(float("nan"), "is nan"), (9.0, "is .* times the usual")])
def test_a_step_that_diverges_stops_and_names_its_rows(
    job: MakeJob, spoilt: Callable[..., None], factor: float, words: str
) -> None:
    spoilt(12, factor)
    with pytest.raises(InputError, match=rf"the loss of step 13 {words}.*, over rows \d+, \d+, \d+, \d+; lower"):
        attempts.train_until_done(job(divergence_factor=5, checkpoint_steps=1, epochs=3), loop.run_training)


@pytest.mark.usefixtures("alone")
def test_a_step_that_diverges_is_left_out_where_that_is_allowed(job: MakeJob, spoilt: Callable[..., None]) -> None:
    spoilt(3, float("inf"))
    made = job(max_skipped_steps=1, checkpoint_steps=2)
    (failure,) = attempts.train_until_done(made, loop.run_training)
    assert (failure.skipped, failure.step) == (3, 3)
    assert "it is left out" in failure.reason
    curve = log_follower.read_log(made.training_log)
    assert [point["step"] for point in curve] == [1, 2, 3, 4, 5, 6]
    assert [point["targets"] == 0 for point in curve] == [False, False, False, True, False, False]
    assert attempts.read_failures(made.checkpoints) == [failure]


@pytest.mark.usefixtures("alone")
def test_more_steps_that_diverge_than_allowed_stop(job: MakeJob, spoilt: Callable[..., None]) -> None:
    spoilt(2, float("nan"))
    spoilt(4, float("nan"))
    with pytest.raises(InputError, match="the loss of step 5 is nan"):
        attempts.train_until_done(job(max_skipped_steps=1, checkpoint_steps=1), loop.run_training)


@pytest.mark.usefixtures("alone")
def test_a_model_that_does_not_fit_is_not_tried_in_smaller_passes(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop.engines, "create_engine", start)
    with pytest.raises(Unavailable, match="out of memory while the model is loaded; `hallmark preflight`"):
        attempts.train_until_done(job(), loop.run_training)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]x", "is not as it was written"),
        ('[{"other": 1}]', "is not as it was written"),
        ('[{"reason": "", "step": 1, "seconds": 1, "micro_batch_tokens": 64, "skipped": 1}]', "leaves out more steps"),
    ],
)
def test_what_was_found_out_before_is_not_believed_where_it_cannot_be(job: MakeJob, text: str, words: str) -> None:
    made = job()
    (made.checkpoints / attempts.FAILURES_FILE).write_text(text)
    train, tokens = failing(None)
    with pytest.raises(Refused, match=words):
        attempts.train_until_done(made, train)
    assert not tokens


def test_an_attempt_begins_without_the_traces_of_the_one_before(job: MakeJob) -> None:
    made = job()
    made.training_log.write_text("{}\n")
    (made.scratch / "stack-0.txt").write_text('File "/x/tasks/stages/train/loop.py", line 1 in f')
    train, _ = failing(None)
    attempts.train_until_done(made, train)
    assert not made.training_log.exists() and watchdog.hung_code_lines(made.scratch) == ""
