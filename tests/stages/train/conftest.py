"""A tiny model, a few rows, this process as a one-worker process group, and trainings that many tests look at."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

os.environ["DS_ACCELERATOR"] = "cpu"

from tasks.core.params.prompts import Prompt
from tasks.core.params.training import Training
from tasks.core.records.prompts import split_context_and_target
from tasks.core.records.rendering import Example, stop_token_ids, tokenise_conversation
from tasks.stages.cluster.storage import machine_cache, training_storage
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.train import log_follower, loop
from tasks.stages.train.job import Job
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows.examples import Examples, ExampleWriter, TokensOrigin
from tasks.stages.train.training_store.shared_disk import TrainingStore
from tests.shared import made_once
from tests.stages.train import without_ray
from tests.stages.train.spawn import Workers
from tests.tiny_model import make_tiny_model

MakeJob = Callable[..., Job]
FULL = {"method": "full", "lora_rank": None, "lora_alpha": None}
PROMPTS = {"sort": Prompt(system="Sort the message of a bank's customer into a queue.")}
BY_DYNAMO = pytest.mark.filterwarnings(
    "ignore:.*should not be instantiated:DeprecationWarning", r"ignore:The \.grad attribute:UserWarning"
)
"""torch 2.13 itself does this as it traces: it makes an object of a function of autograd, and reads gradients."""


def make_rows(count: int) -> list[dict[str, Any]]:
    """Rows of different lengths that share the beginning of their prompt."""
    queues = ("cards", "loans", "accounts")
    return [
        {
            "task": "sort",
            "messages": [
                {"role": "user", "content": f"Message {number}: " + "please help me " * (1 + number * 7 % 5)},
                {"role": "assistant", "content": queues[number % 3]},
            ],
        }
        for number in range(count)
    ]


@pytest.fixture
def compiler() -> None:
    """What torch.compile needs on a CPU."""
    if shutil.which("g++") is None:
        pytest.skip("no compiler: apt install g++")


def training(**changes: Any) -> Training:
    """Settings for a training of seconds, in fp32 so that sums can be compared."""
    small = {
        "global_batch_size": 4,
        "precision": "fp32",
        "threads": 1,
        "lora_rank": 4,
        "lora_alpha": 8,
        "learning_rate": 1e-2,
    }
    return Training(**{**small, **changes})


@pytest.fixture(scope="session")
def trainings(shared: Path) -> Path:
    """Folder of trainings that are done once a session; read only."""
    return shared / "trainings"


@pytest.fixture(scope="session")
def tiny(trainings: Path) -> Path:
    return made_once(trainings / "tiny", make_tiny_model)


@pytest.fixture(scope="session")
def tokenizer(tiny: Path) -> Any:
    """That of the tiny model; a test that changes one makes its own."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


ORIGIN = TokensOrigin(data="0" * 64, validation="0" * 64, prompts="0" * 64, model="0" * 64)


def rendered(tiny: Path, count: int) -> list[Example]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    return [
        tokenise_conversation(*split_context_and_target(row, PROMPTS), tokenizer, stop_token_ids(tokenizer, tiny))
        for row in make_rows(count)
    ]


VALIDATING = (3, 10, 17, 27)
"""Of 28 rows, so that 24 are learnt from."""


def put_rows(folder: Path, examples: list[Example], validation: Sequence[int] = ()) -> Path:
    """As stage `tokenise` leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExampleWriter(folder, 1 << 16) as writer:
        for example in examples:
            writer.add(example)
        writer.finish(ORIGIN, validation)
    return folder


@pytest.fixture(scope="session")
def folder24(tiny: Path, trainings: Path) -> Path:
    """24 rows as tokens."""
    return made_once(trainings / "24", lambda folder: put_rows(folder, rendered(tiny, 24)))


@pytest.fixture(scope="session")
def folder28(tiny: Path, trainings: Path) -> Path:
    """28 rows as tokens, of which those at VALIDATING validate."""
    return made_once(trainings / "28", lambda folder: put_rows(folder, rendered(tiny, 28), VALIDATING))


@pytest.fixture(scope="session")
def rows24(folder24: Path) -> Examples:
    return on_disk.map_examples(folder24)


PARTS = ("checkpoints", "output", "scratch")
"""Folders of a job."""


@pytest.fixture
def job(tiny: Path, folder24: Path, tmp_path: Path) -> MakeJob:
    def make(name: str = "job", rows: Path = folder24, **changes: Any) -> Job:
        return job_in(tmp_path / name, training(**changes), tiny, rows)

    return make


def job_in(folder: Path, settings: Training, model: Path, rows: Path) -> Job:
    """A job whose folders lie in `folder`."""
    for part in PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)
    return Job(settings, model, rows, *(folder / part for part in PARTS))


@pytest.fixture(autouse=True)
def linear() -> Iterator[None]:
    """Put the linear function of torch back after the test: DeepSpeed replaces it for ZeRO 3 and leaves it replaced."""
    import torch

    before = torch.nn.functional.linear
    yield
    torch.nn.functional.linear = before


@pytest.fixture(scope="session")
def trained(alone: None, tiny: Path, folder24: Path, trainings: Path) -> MakeJob:
    """Trainings that came to their end, each of which is done once a session. Read only.

    `rows`: a folder that is made once a session as well."""

    def of(rows: Path = folder24, **changes: Any) -> Job:
        settings = training(**changes)

        def train(folder: Path) -> None:
            loop.run_training(job_in(folder, settings, tiny, rows))

        return job_in(made_once(trainings / named("trained", rows, settings), train), settings, tiny, rows)

    return of


@pytest.fixture
def killed(alone: None, tiny: Path, folder24: Path, trainings: Path, tmp_path: Path) -> MakeJob:
    """Return a function that copies a training which was killed after a step. Each training is done once a session."""

    def of(rows: Path = folder24, after: int = 3, **changes: Any) -> Job:
        settings = training(**{"checkpoint_steps": 2, **changes})

        def train(folder: Path) -> None:
            train_until_killed(job_in(folder, settings, tiny, rows), after)

        name = named(f"killed-{after}", rows, settings)
        return copied(job_in(made_once(trainings / name, train), settings, tiny, rows), tmp_path / name)

    return of


def copied(job: Job, folder: Path) -> Job:
    """A copy of a training that is done once a session, to go on with."""
    shutil.copytree(job.scratch.parent, folder)
    return job_in(folder, job.training, job.model, job.rows)


def named(kind: str, rows: Path, settings: Training) -> str:
    """A name for a training on rows."""
    return f"{kind}-{rows.name}-{hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]}"


def losses(job: Job) -> list[float]:
    """The loss of every step."""
    return [point["loss"] for point in log_follower.read_log(job.training_log)]


class Killed(Exception):
    pass


def train_until_killed(job: Job, after: int, of: type[TrainingStore] = TrainingStore) -> None:
    """Train, and end as if killed once so many steps were told to `of`, where checkpoints are kept."""
    real = of.log_step

    def tell(home: TrainingStore, point: dict[str, Any]) -> None:
        if point["step"] > after:
            raise Killed
        real(home, point)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(of, "log_step", tell)
        loop.run_training(job)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This process as the only worker."""
    import torch
    from torch import distributed

    without_ray.alone(tmp_path_factory.mktemp("group") / "store")
    yield
    distributed.destroy_process_group()
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Two workers in processes of their own."""
    with Workers(tmp_path_factory.mktemp("pair"), 2) as workers:
        yield workers


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingStorage:
    """A folder that every machine mounts."""
    monkeypatch.setenv(machine_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(training_storage, "RETRY_INTERVAL_SECONDS", 0.05)
    (tmp_path / "store").mkdir()
    return TrainingStorage(str(tmp_path / "store"))
