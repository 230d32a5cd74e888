"""Prefect keeps and reads no result of a flow: one in its storage says how it is to be read, and a pickle runs code."""

import importlib
import pkgutil
from pathlib import Path

from prefect import Task
from prefect._internal.result_records import ResultRecord
from prefect.cache_policies import NO_CACHE, NONE

import flows
from flows.retrain import retrain
from tests.prefect_client import planted


def tasks() -> dict[str, Task]:  # type: ignore[type-arg]
    """Every task that a module of flows/ has, by where it is."""
    modules = [importlib.import_module(f"flows.{found.name}") for found in pkgutil.iter_modules(flows.__path__)]
    return {
        f"{module.__name__}.{name}": one
        for module in modules
        for name, one in vars(module).items()
        if isinstance(one, Task)
    }


def test_no_task_keeps_its_result_or_looks_for_one() -> None:
    found = tasks()
    assert {"flows.stages.run_stage", "flows.lifecycle.resolve_run", "flows.gates.request_decision"} <= found.keys()
    assert {name for name, one in found.items() if one.persist_result is not False} == set()
    assert {name for name, one in found.items() if one.cache_policy not in (NO_CACHE, NONE)} == set()
    assert retrain.persist_result is False


def test_a_planted_result_runs_where_it_is_read(tmp_path: Path) -> None:
    """So there is a reason."""
    ResultRecord.deserialize(planted(tmp_path / "touched"))
    assert (tmp_path / "touched").exists()
