"""A machine with other versions is named before it trains."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import distributed

from tasks.core.errors import InputError
from tasks.stages.cluster import versions
from tasks.stages.cluster.versions import Versions
from tasks.stages.train import loop
from tasks.stages.train.job import Job


def having(**libraries: str) -> Versions:
    here = versions.of_here()
    return here.model_copy(update={"libraries": here.libraries | libraries})


def test_a_machine_with_another_version_is_named() -> None:
    here = versions.of_here()
    here.require_here()
    with pytest.raises(
        InputError, match=rf"has torch {here.libraries['torch'].replace('+', '.')} in place of 1.0; every"
    ):
        having(torch="1.0").require_here()
    with pytest.raises(InputError, match=r"has Python 3.* in place of 2.7"):
        here.model_copy(update={"python": "2.7"}).require_here()
    with pytest.raises(InputError, match=r"has flash-attn none in place of 2.8"):
        having(**{"flash-attn": "2.8"}).require_here()


def test_of_torch_alone_another_build_will_do_and_for_answers_none() -> None:
    release = versions.of_here().libraries["torch"].partition("+")[0]
    for build in ("", "+abc", "+cu128"):
        having(torch=release + build).require_here(builds=False)
    with pytest.raises(InputError, match=r"in place of .*\+abc"):
        having(torch=f"{release}+abc").require_here()
    peft = versions.of_here().libraries["peft"]
    with pytest.raises(InputError, match=r"has peft .* in place of .*\+abc"):
        having(peft=f"{peft}+abc").require_here(builds=False)


def test_machines_that_train_together_have_the_same_builds_and_libraries() -> None:
    versions.require_alike([("one", having()), ("two", having())])
    with pytest.raises(InputError, match=r"two has torch 2.9.1\+cpu where one has 2.9.1\+cu128; install"):
        versions.require_alike([("one", having(torch="2.9.1+cu128")), ("two", having(torch="2.9.1+cpu"))])
    with pytest.raises(InputError, match=r"three has flash-attn 2.8 where one has none; install"):
        versions.require_alike([("one", having()), ("two", having()), ("three", having(**{"flash-attn": "2.8"}))])


@pytest.mark.usefixtures("alone")
def test_a_worker_looks_at_both_before_it_trains(job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"in place of 1.0"):
        loop.work({"job": Job(**{**vars(job()), "versions": having(torch="1.0")})})

    trained: list[Job] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train", trained.append)
        release = versions.of_here().libraries["torch"].partition("+")[0]
        loop.work({"job": Job(**{**vars(job()), "versions": having(torch=f"{release}+cu128")})})
    assert trained

    def gathered(told: list[Any], own: Any) -> None:
        told[:] = [own, ("other", having(triton="9"))]

    monkeypatch.setattr(distributed, "all_gather_object", gathered)
    with pytest.raises(InputError, match=r"other has triton 9 where"):
        loop.work({"job": job()})
