"""Connecting the workers without Ray: a real torch store, and one process that plays both ranks in turn."""

import os
import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import train
from ray.train import collective
from torch import cuda, distributed

from tasks.stages.train.machines import worker
from tasks.stages.train.recovery.attempts import WorkersLost
from tests.loaded_modules import ROOT


class Rank(SimpleNamespace):
    """Ray's context of one of two workers on the same machine."""

    def __getattr__(self, name: str) -> Any:
        said = {"world_rank": self.rank, "local_rank": self.rank, "world_size": 2, "local_world_size": 2}
        return lambda: said.get(name.removeprefix("get_"), 0)


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Recorded calls that set the GPU and open the process group, in order."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # restored after the test
    done = list[tuple[str, Any]]()
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    monkeypatch.setattr(distributed, "init_process_group", lambda *by, **how: done.append((*by, how)))
    monkeypatch.setattr(cuda, "set_device", lambda device: done.append(("device", device)))
    monkeypatch.setattr("ray.train.torch.get_device", lambda: "cuda:1")
    return done


def connects(monkeypatch: pytest.MonkeyPatch, rank: int, place: object = None, **how: Any) -> Any:
    """Connect one rank; `place` is the address that rank 0 broadcast. Return the address that this rank broadcasts."""
    told = list[Any]()
    monkeypatch.setattr(train, "get_context", lambda: Rank(rank=rank))
    monkeypatch.setattr(collective, "broadcast_from_rank_zero", lambda own: (told.append(own), own or place)[1])
    worker.connect_workers(**{"uses_gpu": False, "timeout_seconds": 20, **how})
    return told[0]


def test_every_rank_finds_the_store_of_the_first(met: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = connects(monkeypatch, 0)
    assert connects(monkeypatch, 1, (host, port)) is None
    (backend, first), (_, second) = met
    assert backend == "gloo" and (first["rank"], second["rank"]) == (0, 1)
    assert first["world_size"] == second["world_size"] == 2
    assert first["timeout"] == second["timeout"] == timedelta(seconds=20)
    first["store"].set("address", "of rank 0")
    assert second["store"].get("address") == b"of rank 0"
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("127.0.0.1", str(port))
    assert (os.environ["RANK"], os.environ["LOCAL_RANK"], os.environ["WORLD_SIZE"]) == ("1", "1", "2")


def test_each_takes_its_gpu_before_anything_is_sent(
    met: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NCCL uses the first GPU of the machine on every worker that has chosen none."""
    monkeypatch.setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    connects(monkeypatch, 0, uses_gpu=True)
    assert [each[:2] for each in met[:1]] == [("device", "cuda:1")] and met[1][0] == "nccl"


def test_workers_that_do_not_find_each_other_are_lost(
    met: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, a firewall between the machines. The attempt is then repeated."""
    with pytest.raises(WorkersLost, match=r"could not connect with each other: .+"):
        connects(monkeypatch, 1, ("127.0.0.1", 9), timeout_seconds=0.5)
    assert not met


def test_neither_the_stage_nor_rays_controller_loads_torch() -> None:
    """Importing torch takes each of the two processes 1 CPU second in every training."""
    code = "from tasks.stages.train import train; from tasks.stages.train.machines import trainer, worker; import sys; "
    code += "print('torch' in sys.modules, trainer.SharedGpusConfig().backend_cls.share_cuda_visible_devices)"
    given = os.environ | {"RAY_TRAIN_V2_ENABLED": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=given, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr
