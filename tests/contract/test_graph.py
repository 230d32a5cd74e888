"""The flow, dvc.yaml and the stages are what the table in tasks/core/graph.py says."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core import code_digest, graph
from tasks.core.graph import DVC_STAGES, STAGES, STEPS, SUBJECT_STAGES, Gate, Stage
from tasks.core.steps import data

ROOT = Path(__file__).parents[2]
DATA_STAGES = [stage for stage in STAGES.values() if stage.module_name.startswith("tasks.stages.data.")]


def flow_steps() -> list[tuple[str, str]]:
    """("run_stages", NAME) and ("pass_gate", NAME) in the order in which flows/retrain.py calls them."""
    tree = ast.parse((ROOT / "flows" / "retrain.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    steps = []
    for call in sorted(calls, key=lambda node: node.lineno):
        names = [name for arg in call.args for name in names_in(arg)]
        if call.func.id in ("run_stages", "pass_gate"):
            steps += [(call.func.id, str(name)) for name in names]
    return steps


def names_in(argument: ast.expr) -> tuple[object, ...]:
    """A name in quotes, or all those that `*DATA_STAGE_NAMES` stands for."""
    if isinstance(argument, ast.Starred) and ast.unparse(argument.value) == "DATA_STAGE_NAMES":
        return graph.DATA_STAGE_NAMES
    return (argument.value,) if isinstance(argument, ast.Constant) else ()


def test_the_flow_takes_every_step_in_the_order_of_the_table() -> None:
    table = [
        (("pass_gate", step.name) if isinstance(step, Gate) else ("run_stages", run))
        for step in STEPS
        for run in ([step.name] if isinstance(step, Gate) else step.dvc_names)
    ]
    assert flow_steps() == table, "flows/retrain.py calls stages and gates as tasks/core/graph.py lists them"


def test_dvc_yaml_is_that_of_the_table() -> None:
    assert (ROOT / "dvc.yaml").read_text() == graph.render_dvc_yaml(), "run: python -m tasks.core.graph > dvc.yaml"


def test_the_stages_of_data_are_those_of_their_list() -> None:
    assert list(data.DATA_STAGES) == DATA_STAGES


def outputs(steps: list[Stage | Gate]) -> set[str]:
    folders = {f"artefacts/{folder}" for step in steps if isinstance(step, Stage) for folder in step.output_folders}
    return folders | {f"gates/{step.name}.json" for step in steps if isinstance(step, Gate)}


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_reads_only_what_was_made_before_it(stage: Stage) -> None:
    before = outputs(list(STEPS[: STEPS.index(stage)]))
    reads = [path for key in (list(stage.variants) or [""]) for path in stage.dependency_paths(key)]
    made = [path for path in reads if path.startswith(("artefacts/", "gates/"))]
    assert all(any(path == out or path.startswith(f"{out}/") for out in before) for path in made)


def test_a_gate_right_after_another_looks_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    after = STEPS.index(Gate("data")) + 1
    monkeypatch.setattr(graph, "STEPS", (*STEPS[:after], Gate("second"), *STEPS[after:]))
    assert graph.find_evidence_stages("second") == graph.EVIDENCE_STAGES["data"]
    assert {gate: graph.find_evidence_stages(gate) for gate in graph.GATES} == graph.EVIDENCE_STAGES


@pytest.mark.parametrize("gate", SUBJECT_STAGES)
def test_what_stands_behind_a_gate_is_a_stage_that_verifies_its_statement(gate: str) -> None:
    """But behind those after the last stage, which promotion judges."""
    behind = [stage for stage in STAGES.values() if gate in stage.required_gates]
    assert behind or not any(isinstance(step, Stage) for step in STEPS[STEPS.index(Gate(gate)) :])
    for stage in behind:
        source = (ROOT / f"{stage.module_name.replace('.', '/')}.py").read_text()
        assert re.search(rf'require_gate\(layout, "{gate}"\)', source), f"{stage.module_name} calls it before all else"


@pytest.mark.parametrize("stage", DATA_STAGES, ids=lambda stage: stage.name)
def test_what_another_version_of_python_wrote_is_not_taken_from_the_cache(stage: Stage) -> None:
    assert "inputs/sources.json" in stage.input_paths, "it names the version that decides a data stage's bytes"


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_is_given_the_sections_of_params_that_it_declares(stage: Stage) -> None:
    given = tuple(importlib.import_module(stage.module_name).Params.model_fields)
    assert given == stage.param_sections, f"Params in {stage.module_name} and its line in tasks/core/graph.py"


PATHS = re.compile(r"layout\.(sources|suites|champion|code|authority|stages)\b|layout\.stage\(f?\"([\w/]+)")
GIVEN = {"authority", "stages"}
"""Read by every stage behind a gate, and by what keeps results by the code that made them."""


def named(stage: Stage) -> Iterator[str]:
    """Inputs and outputs of other stages that its code names."""
    for path in code_digest.stage_files(ROOT, stage.name):
        if path.suffix == ".py" and "stages" in path.parts:
            for match in PATHS.finditer(path.read_text()):
                yield f"inputs/{match[1]}.json" if match[1] else f"artefacts/{match[2].rstrip('/')}"


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_declares_the_files_that_its_code_names(stage: Stage) -> None:
    reads = {path for key in (list(stage.variants) or [""]) for path in stage.dependency_paths(key)}
    own = {f"artefacts/{folder}" for folder in (stage.name, *stage.output_folders)}
    for path in set(named(stage)) - own - {f"inputs/{name}.json" for name in GIVEN}:
        declared = any(read == path or read.startswith(f"{path}/") or path.startswith(f"{read}/") for read in reads)
        assert declared, f"{stage.name} names {path}: declare it in its line of tasks/core/graph.py"


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_new_stage_or_section_makes_no_stage_run_again(stage: Stage) -> None:
    mine = {path.relative_to(ROOT).as_posix() for path in code_digest.stage_files(ROOT, stage.name)}
    assert not mine & {"tasks/core/graph.py", "tasks/core/code_digest.py", "tasks/core/params/params.py"}


def test_another_metric_or_page_lets_no_model_answer_again() -> None:
    evaluate = ROOT / "tasks" / "stages" / "evaluate"
    followed = {path for path in code_digest.stage_files(ROOT, "predict") if path.is_relative_to(evaluate)}
    judging = {evaluate / f"{name}.py" for name in ("answers", "intervals", "document", "comparing", "scoring")}
    assert followed and not followed & judging
    assert {path.parent for path in followed} == {evaluate, evaluate / "inference"}, "neither metrics/ nor report/"


def test_no_stage_runs_code_that_its_digest_does_not_follow() -> None:
    """But the two files that start stages: they import the stage that is asked for. The digest follows a name that is
    computed where it begins with its room (tests/core/test_code.py)."""
    starting = {ROOT / "tasks" / "stages" / name for name in ("runner.py", "start.py")}
    followed = {path for stage in STAGES.values() for path in code_digest.stage_files(ROOT, stage.name)}
    for path in followed - starting:
        if path.suffix == ".py":
            assert not re.search(
                r"import_module(?!\(f\"tasks\.)|__import__|\bexec\(|runpy|__doc__", path.read_text()
            ), path


def test_every_name_that_dvc_knows_has_a_digest_of_its_code() -> None:
    assert code_digest.stage_digests(ROOT).keys() == DVC_STAGES.keys()


@pytest.mark.parametrize("package", sorted(ROOT.glob("tasks/**/__init__.py")), ids=str)
def test_a_package_is_a_tour_without_code(package: Path) -> None:
    body = ast.parse(package.read_text()).body
    assert len(body) == 1 and ast.get_docstring(ast.parse(package.read_text()))
