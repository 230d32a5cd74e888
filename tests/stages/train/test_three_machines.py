"""Trainings on a real Ray cluster of machines without a disk in common, which are cut off, come and go; what is learnt
stays the same."""

import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tasks.core.files import read_json, tree_digest
from tasks.core.layout import Layout
from tasks.stages.evaluate import predict
from tasks.stages.train import log_follower, loop
from tasks.stages.train.coordinator import read_stored_checkpoints
from tasks.stages.train.job import Job
from tests.patience import wait_until
from tests.stages.evaluate import house
from tests.stages.train import three_machines
from tests.stages.train.conftest import MakeJob
from tests.stages.train.three_machines import HEAD, Machines
from tests.tiny_project import ROOT

pytestmark = [pytest.mark.s3, pytest.mark.slow, pytest.mark.timeout(1500)]
SETTINGS = {
    "learning_rate": 1e-3,
    "zero_stage": 2,
    "workers": 2,
    "least_workers": 1,
    "max_failures": 1,
}
STEPS_OF_AN_EPOCH = 6
DRIVER = """
import json, pickle, signal, sys
from dataclasses import asdict
from pathlib import Path
from tasks.stages.cluster import connection
from tasks.stages.train.model import builders
from tasks.stages.train.machines import ray_attempt, worker_capacity
from tasks.stages.train.recovery import attempts
from tasks.stages.train.training_store import transfer
from tasks.stages.cluster.storage import training_storage
worker_capacity.MIN_SECONDS_BEFORE_GROWTH = 3.0
job = transfer.upload_inputs(pickle.loads(Path(sys.argv[1]).read_bytes()), training_storage.storage_from_environment())
with connection.connect_to_ray(builders.build_worker_spec(job.training), without_shared_disk=True):
    failures = attempts.train_until_done(job, ray_attempt.run_attempt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "Ray Train still answers Ctrl-C"
transfer.fetch_weights(job)
transfer.remove_training_folder(job)
print("failures", json.dumps([asdict(each) for each in failures]), flush=True)
"""


@pytest.fixture
def machines(tmp_path: Path, object_store: str) -> Iterator[Machines]:
    """The head and two others, with a bucket."""
    with three_machines.cluster(tmp_path, object_store) as made:
        for name in ("one", "two"):
            made.add(name)
        made.bucket("training")
        yield made


class Driver(NamedTuple):
    process: "subprocess.Popen[bytes]"
    job: Job
    log: Path

    def steps(self) -> int:
        return len(log_follower.read_log(self.job.training_log))

    def reaches(self, steps: int) -> None:
        """Wait until so many steps are done."""
        self.waits(lambda: self.steps() >= steps, f"step {steps}")

    def trains_by(self, workers: int) -> None:
        """Wait until the newest checkpoint was written by so many workers."""
        self.waits(lambda: workers_of(self) == workers, f"a checkpoint of {workers} workers")

    def says(self, words: str) -> None:
        self.waits(lambda: words in self.log.read_text(), f"the training to say {words!r}")

    def waits(self, met: Callable[[], bool], what: str) -> None:
        wait_until(met, what, seconds=300, saw=lambda: self.log.read_text()[-4000:], process=self.process)

    def ends(self) -> list[dict[str, Any]]:
        """Its failures."""
        wait_until(lambda: self.process.poll() is not None, "the training to end", seconds=300, saw=self.log.read_text)
        assert self.process.returncode == 0, self.log.read_text()[-4000:]
        return list(json.loads(re.findall(r"^failures (.*)$", self.log.read_text(), re.MULTILINE)[0]))


def workers_of(driver: Driver) -> int:
    """That wrote the newest checkpoint."""
    return next((each.workers for each in read_stored_checkpoints(driver.job.checkpoints)), 0)


def alone_in(reads: list[Path], writes: list[Path]) -> list[object]:
    """As in the sandbox of a stage: it sees no process and no socket of the cluster, and of the disk what it needs."""
    if shutil.which("bwrap") is None:
        return []
    seen = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp"]
    seen += [str(word) for path in (ROOT, *reads) for word in ("--ro-bind", path, path)]
    seen += [str(word) for path in writes for word in ("--bind", path, path)]
    apart = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL"]
    return ["bwrap", "--die-with-parent", *apart, *seen]


def start(machines: Machines, job: Job) -> Driver:
    """Train as the stage does, on the head's machine."""
    name = job.scratch.parent.name
    packed, log = machines.folder / f"{name}.pickle", f"{name}.log"
    packed.write_bytes(pickle.dumps(job))
    box = alone_in([job.model, job.rows, job.scratch.parents[1]], [job.checkpoints, job.weights_folder, job.scratch])
    given = storage(machines) | {"PYTHONPATH": str(ROOT)}
    process = machines.spawn(HEAD, [*box, sys.executable, "-c", DRIVER, packed], given, log)
    return Driver(process, job, machines.folder / log)


def storage(machines: Machines) -> dict[str, str]:
    """Variables of a stage that works on the cluster."""
    given = {f"HALLMARK_TRAINING_{name}": value for name, value in machines.keys.items()}
    return given | {"RAY_ADDRESS": machines.address, "HALLMARK_TRAINING_STORAGE": "s3://training/of/hallmark",
                    "HALLMARK_TRAINING_CACHE": "/nowhere"}  # fmt: skip


def assert_answers_are_the_same(machines: Machines, layout: Layout) -> None:
    """Stage predict by two machines, which fetch the adapter and what it is of, and in one process."""
    house.write_base(layout)
    house.write_split(layout, [house.row(number) for number in range(40)])
    house.write_adapter(layout.artefacts("base_model") / "model", layout.artefacts("train") / "adapter")
    predict.run(house.params(), layout, "candidate")
    alone = tree_digest(layout.artefacts("predict/candidate"))
    made = house.params(workers=2).model_dump(mode="json", include={"evaluation", "prompts"})
    layout.params_path.write_text(yaml.safe_dump(made))
    stage = [sys.executable, "-I", ROOT / "tasks" / "stages" / "start.py", "predict@candidate", predict.__name__]
    box = alone_in([], [layout.root])
    process = machines.spawn(HEAD, [*box, "env", "-C", layout.root, *stage], storage(machines), "predict.log")
    log = machines.folder / "predict.log"
    wait_until(lambda: process.poll() is not None, "the answers", seconds=200, saw=log.read_text)
    assert process.returncode == 0, log.read_text()
    assert tree_digest(layout.artefacts("predict/candidate")) == alone
    told = read_json(layout.measurements("predict/candidate") / "facts.json")["facts"]
    assert told["rows_per_second"]["note"].endswith("by 2 workers together"), log.read_text()


def assert_learnt_as_by_one(job: MakeJob, other: Job) -> None:
    """What another training learnt is what one worker does on one machine."""
    whole = job("whole", **SETTINGS, epochs=other.training.epochs)
    alone = {"workers": 1, "least_workers": None, "zero_stage": 0}
    whole = replace(whole, training=whole.training.model_copy(update=alone))
    loop.run_training(whole)
    theirs, ours = (log_follower.read_log(it.training_log) for it in (other, whole))
    rows = [[(point["step"], point["tokens"], point["targets"], point["lr"]) for point in it] for it in (theirs, ours)]
    assert len(rows[0]) == other.training.epochs * STEPS_OF_AN_EPOCH and rows[0] == rows[1]
    apart = max(abs(one["loss"] - other["loss"]) for one, other in zip(theirs, ours, strict=True))
    assert apart < 1e-5, apart


def test_a_training_outlives_a_machine_that_is_cut_off(machines: Machines, job: MakeJob, alone: None) -> None:
    """The machine that is left goes on from the checkpoint of both. In the end it is taken away, with notice. No two
    machines share a disk."""
    made = replace(job("made", **SETTINGS, epochs=8, checkpoint_steps=6), is_on_cluster=True)
    driver = start(machines, made)
    driver.trains_by(2)
    machines.cut_off("one")
    machines.kill("one")
    driver.says("was lost; going on from the last checkpoint")
    (failure,) = driver.ends()
    assert re.fullmatch(r"worker [01] of 2 was lost", failure["reason"]), failure
    assert workers_of(driver) == 1
    assert_learnt_as_by_one(job, made)
    notice = machines.drain("two")
    wait_until(lambda: notice.poll() is not None, "the notice to be heeded")
    assert notice.returncode == 0


@pytest.mark.soak
def test_what_happens_to_machines_changes_nothing_that_is_learnt(
    machines: Machines, job: MakeJob, alone: None, tmp_path: Path
) -> None:
    """One is cut off and killed; the other trains on. The store is away for a while. One joins with another version of
    a library, and is left out. Another joins, its clock a minute ahead, and training grows. One is taken back with
    notice. Nothing lies on a disk that two of them see. Then two of them answer as one process does."""
    with_others = replace(job("with others", **SETTINGS, epochs=25, checkpoint_steps=5), is_on_cluster=True)
    driver = start(machines, with_others)
    driver.reaches(12)
    machines.cut_off("one")
    machines.kill("one")
    driver.says("was lost; going on from the last checkpoint")
    driver.trains_by(1)

    machines.stop_store()
    before = driver.steps()
    driver.waits(lambda: driver.steps() > before, "another step without the store")
    machines.start_store()

    machines.add("old", older="peft")
    driver.says("has peft 0.1 in place of")

    machines.add("three", ahead=60)
    driver.trains_by(2)

    machines.drain("two")
    driver.says("a machine is taken away after step")
    machines.remove("two")
    failures = driver.ends()

    reasons = " / ".join(each["reason"] for each in failures)
    assert re.fullmatch(
        r"worker [01] of 2 was lost / there is room for more workers after step \d+ / the machine \S+ has peft 0.1 in "
        r"place of .*; training leaves it out( / there is room for more workers after step \d+)? / a machine is taken "
        r"away after step \d+( / there is room for more workers after step \d+)*",
        reasons,
    ), reasons
    assert_learnt_as_by_one(job, with_others)

    machines.remove("old")  # or an answer might be asked of it, and the stage would refuse that
    machines.add("four")
    assert_answers_are_the_same(machines, Layout(tmp_path / "answers"))
