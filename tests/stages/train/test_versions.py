"""A machine with other versions is named before it trains."""

import socket
from functools import partial
from typing import Any

import pytest
from torch import distributed

from tasks.core.errors import InputError
from tasks.stages.cluster import versions
from tasks.stages.cluster.versions import LibraryVersions
from tasks.stages.train import loop
from tasks.stages.train.job import Job
from tests.stages.train.conftest import MakeJob
from tests.stages.train.spawn import Workers


def having(**libraries: str) -> LibraryVersions:
    here = versions.installed_versions()
    return here.model_copy(update={"libraries": here.libraries | libraries})


def test_a_machine_with_another_version_is_named() -> None:
    here = versions.installed_versions()
    here.require_installed()
    words = rf"has torch {here.libraries['torch'].replace('+', '.')} in place of 1.0; every"
    with pytest.raises(InputError, match=words):
        having(torch="1.0").require_installed()
    with pytest.raises(InputError, match=r"has Python 3.* in place of 2.7"):
        here.model_copy(update={"python": "2.7"}).require_installed()
    with pytest.raises(InputError, match=r"has flash-attn none in place of 2.8"):
        having(**{"flash-attn": "2.8"}).require_installed()


def test_of_torch_alone_another_build_will_do_and_for_answers_none() -> None:
    release = versions.installed_versions().libraries["torch"].partition("+")[0]
    for build in ("", "+abc", "+cu128"):
        having(torch=release + build).require_installed(compare_builds=False)
    with pytest.raises(InputError, match=r"in place of .*\+abc"):
        having(torch=f"{release}+abc").require_installed()
    peft = versions.installed_versions().libraries["peft"]
    with pytest.raises(InputError, match=r"has peft .* in place of .*\+abc"):
        having(peft=f"{peft}+abc").require_installed(compare_builds=False)


def test_machines_that_train_together_have_the_same_builds_and_libraries() -> None:
    """The versions of most are right, and of equally many those of the first."""
    same = [("one", having()), ("two", having())]
    apart = [("one", having(torch="2.9.1+cu128")), ("two", having(torch="2.9.1+cpu"))]
    first = [("one", having(**{"flash-attn": "2.8"})), ("two", having()), ("three", having())]
    for workers, rank in ((same, 0), (same, 1), (apart, 0), (first, 1), (first, 2)):
        versions.require_majority_versions(workers, rank)
    with pytest.raises(InputError, match=r"two has torch 2.9.1\+cpu where one has 2.9.1\+cu128; install"):
        versions.require_majority_versions(apart, 1)
    with pytest.raises(InputError, match=r"one has flash-attn 2.8 where two has none; install"):
        versions.require_majority_versions(first, 0)


@pytest.mark.usefixtures("alone")
def test_a_worker_looks_at_both_before_it_trains(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"in place of 1.0"):
        loop.train_as_worker(Job(**{**vars(job()), "versions": having(torch="1.0")}))

    trained: list[Job] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "run_training", trained.append)
        release = versions.installed_versions().libraries["torch"].partition("+")[0]
        loop.train_as_worker(Job(**{**vars(job()), "versions": having(torch=f"{release}+cu128")}))
    assert trained

    def gathered(told: list[Any], own: Any) -> None:
        told[:] = [("other", having(triton="9")), own] if isinstance(own[1], LibraryVersions) else [own, own]

    monkeypatch.setattr(distributed, "all_gather_object", gathered)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    with pytest.raises(InputError, match=r"has triton .* where other has 9"):
        loop.train_as_worker(job())


def second_fails(error: Exception, patch: pytest.MonkeyPatch) -> None:
    """Of two machines."""

    def require(_: Job) -> None:
        if distributed.get_rank() == 1:
            raise error

    patch.setattr(loop, "require_memory", require)


@pytest.mark.slow
def test_what_one_machine_cannot_do_all_of_them_refuse(job: MakeJob, pair: Workers) -> None:
    """Or the others would wait for it."""
    without_room = partial(second_fails, InputError("on two weights need 9 GiB"))
    assert pair.answers(job(), without_room) == ["on two weights need 9 GiB\n"] * 2
    without_model = partial(second_fails, FileNotFoundError("there is no config.json"))
    assert pair.answers(job(), without_model) == [f"on {socket.gethostname()}: there is no config.json\n"] * 2
