"""The flow's order and dvc.yaml's graph are the same, and dvc.yaml names the code that each stage really imports."""

import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tasks.core.graph import RUNS, SUBJECTS

ROOT = Path(__file__).parents[2]
DVC = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]


def expanded() -> dict[str, dict]:
    """dvc.yaml's stages with foreach written out."""
    out = {}
    for name, stage in DVC.items():
        if "foreach" not in stage:
            out[name] = stage
            continue
        for key, item in stage["foreach"].items():
            text = repr(stage["do"]).replace("${key}", key).replace("${item.model}", item["model"])
            out[f"{name}@{key}"] = ast.literal_eval(text)
    return out


def flow_steps() -> list[tuple[str, str]]:
    """("stage", NAME) and ("gate", NAME) in the order in which flows/retrain.py calls them."""
    tree = ast.parse((ROOT / "flows" / "retrain.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    steps = []
    for call in sorted(calls, key=lambda node: node.lineno):
        names = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        if call.func.id in ("stages", "gate"):
            steps += [(call.func.id.removesuffix("s"), name) for name in names]
    return steps


def test_the_flow_runs_every_stage_once() -> None:
    ran = [name for kind, name in flow_steps() if kind == "stage"]
    assert sorted(ran) == sorted(expanded()) == sorted(RUNS)


def test_the_flow_runs_a_stage_after_everything_it_depends_on() -> None:
    done: set[str] = set()
    stages = expanded()
    for kind, name in flow_steps():
        if kind == "gate":
            assert SUBJECTS[name] in done, f"the {name} gate stands before its subject"
            done.add(f"gates/{name}.json")
            continue
        for dep in stages[name]["deps"]:
            if dep.startswith("gates/"):
                assert dep in done, f"{name} depends on {dep}, which no gate has written by then"
            made_by = [other for other in stages if any(dep.startswith(out) for out in stages[other]["outs"])]
            assert set(made_by) <= done, f"{name} runs before {made_by}"
        done.add(name)


@pytest.mark.parametrize("stage", ["train", "package"])
def test_what_stands_behind_a_gate_depends_on_its_file(stage: str) -> None:
    gate = {"train": "gates/data.json", "package": "gates/evaluation.json"}[stage]
    assert {gate, "inputs/authority.json"} <= set(expanded()[stage]["deps"])


@pytest.mark.parametrize(
    "stage", [name for name, stage in RUNS.items() if stage.module.startswith("tasks.stages.data.")]
)
def test_what_another_version_of_python_wrote_is_not_taken_from_the_cache(stage: str) -> None:
    assert "inputs/sources.json" in expanded()[stage]["deps"], "it names the version that decides a data stage's bytes"


DECIDING = ("protection.py", "sources.py", "vault.py", "vault_keys.py")
"""Code of `govern` that a data stage's outputs depend on."""


def decides_bytes(file: Path) -> bool:
    """Code that only says whether a stage may run cannot change what it computes, so it is no dependency."""
    return ROOT / "tasks" / "govern" not in file.parents or file.name in DECIDING


@cache
def imports_of(file: Path) -> frozenset[Path]:
    """Files of `tasks` that a file imports, directly or through others; __init__.py files hold no code."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            path = ROOT / (module.replace(".", "/") + ".py")
            if module.startswith("tasks") and path.exists() and decides_bytes(path):
                found.add(path)
    return frozenset(found.union(*(imports_of(path) for path in found)))


@pytest.mark.parametrize("stage", RUNS)
def test_dvc_yaml_names_the_code_a_stage_imports(stage: str) -> None:
    module = ROOT / (RUNS[stage].module.replace(".", "/") + ".py")
    needed = {path.relative_to(ROOT).as_posix() for path in (module, *imports_of(module))}
    named = {dep for dep in expanded()[stage]["deps"] if dep == "tasks" or dep.startswith("tasks/")}
    covered = {path for path in needed if any(path == dep or path.startswith(f"{dep}/") for dep in named)}
    assert needed == covered, f"dvc.yaml: {stage} lacks {sorted(needed - covered)}"
    idle = {dep for dep in named if not any(path == dep or path.startswith(f"{dep}/") for path in needed)}
    assert not idle, f"dvc.yaml: {stage} names {sorted(idle)}, which it does not import"


@pytest.mark.parametrize("package", sorted(ROOT.glob("tasks/**/__init__.py")), ids=str)
def test_a_package_is_a_tour_without_code(package: Path) -> None:
    body = ast.parse(package.read_text()).body
    assert len(body) == 1 and ast.get_docstring(ast.parse(package.read_text()))
