"""Table of stages and gates, in the order of a run. All other lists of stages or gates are derived from it.

A new stage needs a module with `run(params, layout)` and an entry in STEPS, or in `tasks.core.steps.data` if it is a
data stage. A new gate needs an entry in STEPS and rules in policy.yaml. `python -m tasks.core.graph` prints the
dvc.yaml that belongs to the table.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.core.steps.data import DATA_STAGES
from tasks.core.steps.stage import (
    CHAMPION_PATH,
    CODE_PATH,
    EVALUATIONS_PATH,
    SOURCES_PATH,
    SUITES_PATH,
    Stage,
)


@dataclass(frozen=True)
class Gate:
    """Gate at which people decide about the output of the previous stage.

    Its evidence covers all stages since the previous gate. If a gate directly follows another gate, both cover the same
    stages.
    """

    name: str


MODEL_VARIANTS = {
    "base": "artefacts/base_model/result.json",
    "champion": CHAMPION_PATH,
    "candidate": "artefacts/train",
}
"""Variants of the stages in which models answer, each with the path that it reads its model from."""
DATA_STAGE_NAMES: tuple[str, ...] = tuple(stage.name for stage in DATA_STAGES)

STEPS: tuple[Stage | Gate, ...] = (
    *DATA_STAGES,
    Gate("data"),
    Stage("base_model", "tasks.stages.train.base.base_model", ("base_model",)),
    Stage(
        "tokenise",
        "tasks.stages.train.rows.tokenise",
        ("prompts",),
        ("artefacts/split", "artefacts/base_model"),
        required_gates=("data",),
    ),
    Stage(
        "train",
        "tasks.stages.train.train",
        ("training", "prompts"),
        ("artefacts/split", "artefacts/base_model", "artefacts/tokenise"),
        required_gates=("data",),
        has_measurements=True,
    ),
    Stage(
        "predict",
        "tasks.stages.evaluate.predict",
        ("evaluation", "prompts"),
        ("artefacts/base_model", "artefacts/split"),
        has_measurements=True,
        variants=MODEL_VARIANTS,
    ),
    Stage(
        "probe",
        "tasks.stages.evaluate.suites.probe",
        ("evaluation", "prompts"),
        ("artefacts/base_model", "artefacts/split", EVALUATIONS_PATH),
        has_measurements=True,
        variants=MODEL_VARIANTS,
    ),
    Stage(
        "suites",
        "tasks.stages.evaluate.suites.suite_verdicts",
        ("evaluation", "prompts"),
        ("artefacts/split", EVALUATIONS_PATH, *(f"artefacts/probe/{name}" for name in MODEL_VARIANTS)),
    ),
    Stage(
        "leakage",
        "tasks.stages.evaluate.leakage.leakage",
        ("evaluation", "prompts"),
        ("artefacts/base_model", "artefacts/split", "artefacts/train"),
    ),
    Stage(
        "evaluate",
        "tasks.stages.evaluate.evaluate",
        ("evaluation", "use_case"),
        (
            SOURCES_PATH,
            *(f"artefacts/{name}/result.json" for name in DATA_STAGE_NAMES if name != "split"),
            *(f"artefacts/predict/{name}" for name in MODEL_VARIANTS),
            "artefacts/suites",
            "artefacts/leakage",
            "artefacts/split",
            "artefacts/train",
        ),
    ),
    Gate("evaluation"),
    Stage(
        "package",
        "tasks.stages.package.package",
        ("use_case", "prompts", "base_model", "training", "evaluation"),
        (
            "params.yaml",
            *(
                SOURCES_PATH,
                SUITES_PATH,
                EVALUATIONS_PATH,
                CHAMPION_PATH,
                CODE_PATH,
                "inputs/stages.json",
            ),  # the manifest has a digest of all code
            *(f"artefacts/{name}" for name in (*DATA_STAGE_NAMES, "base_model")),
            "artefacts/tokenise",
            "artefacts/train",
            *(f"artefacts/predict/{name}" for name in MODEL_VARIANTS),
            *(f"artefacts/probe/{name}" for name in MODEL_VARIANTS),
            "artefacts/suites",
            "artefacts/leakage",
            "artefacts/evaluate",
        ),
        required_gates=("evaluation",),
    ),
    Gate("release"),
)

STAGES: dict[str, Stage] = {step.name: step for step in STEPS if isinstance(step, Stage)}
DVC_STAGES: dict[str, Stage] = {run: stage for stage in STAGES.values() for run in stage.dvc_names}
GATES: tuple[str, ...] = tuple(step.name for step in STEPS if isinstance(step, Gate))


def sort_gates(gates: Iterable[str]) -> list[str]:
    """Sort gate names in the order of the table.

    Names that are not in the table, such as those of gates in other versions of Hallmark, come last, sorted by name.
    """
    return sorted(gates, key=lambda gate: (GATES.index(gate) if gate in GATES else len(GATES), gate))


def find_evidence_stages(gate: str) -> tuple[str, ...]:
    """Return the stages that the evidence of a gate covers.

    These are the stages since the previous gate or, if there are none, the stages of the previous gate.
    """
    passed: list[str] = []
    after_gate = False
    for step in STEPS:
        if isinstance(step, Stage):
            passed = [*([] if after_gate else passed), step.name]
        elif step.name == gate:
            break
        after_gate = isinstance(step, Gate)
    return tuple(passed)


EVIDENCE_STAGES: dict[str, tuple[str, ...]] = {gate: find_evidence_stages(gate) for gate in GATES}
SUBJECT_STAGES: dict[str, str] = {gate: stages[-1] for gate, stages in EVIDENCE_STAGES.items()}
GATES_VERIFIED_BY_STAGES: tuple[str, ...] = tuple(
    gate for gate in GATES if any(gate in it.required_gates for it in STAGES.values())
)
"""Gates whose statements a later stage verifies before it runs. Promotion requires the other gates as well."""


def render_dvc_yaml() -> str:
    return DVC_YAML_HEADER + "".join(_render_stage_entry(stage) for stage in STAGES.values())


DVC_YAML_HEADER = """\
# The graph of a run, printed by `python -m tasks.core.graph > dvc.yaml` from the table in tasks/core/graph.py.
# Each stage writes artefacts/STAGE (digested) and may write measured/STAGE (not digested, nothing depends on it). Gate
# files in gates/ are made by people's decisions, never by a stage. inputs/stages.json has a digest of every stage's
# code.
stages:
  code:  # by hand: a run has inputs/stages.json from whoever judges it, and never runs this
    cmd: python -I tasks/stages/start.py code
    always_changed: true
    outs: [inputs/stages.json: {cache: false}]
"""


def _render_stage_entry(stage: Stage) -> str:
    if not stage.variants:
        return f"  {stage.name}:\n" + _entry_body(stage, stage.name, stage.dependency_paths(), "    ")
    each = "".join(f"      {key}: {{reads: {path}}}\n" for key, path in stage.variants.items())
    reads = [*stage.dependency_paths(), "${item.reads}"]
    return f"  {stage.name}:\n    foreach:\n{each}    do:\n" + _entry_body(
        stage, f"{stage.name}@${{key}}", reads, "      "
    )


def _entry_body(stage: Stage, dvc_name: str, dependencies: list[str], indent: str) -> str:
    folder = dvc_name.replace("@", "/")
    outs = [f"artefacts/{folder}", *([f"measured/{folder}"] if stage.has_measurements else [])]
    lines = [
        f"cmd: python -I tasks/stages/start.py {dvc_name}",
        "deps:",
        *(f"  - {path}" for path in dependencies),
        "params:",
        *(f"  - {section}" for section in stage.param_sections),
        f"  - inputs/stages.json: [{_quote_flow_item(dvc_name)}]",
        f"outs: [{', '.join(map(_quote_flow_item, outs))}]",
    ]
    return "".join(f"{indent}{line}\n" for line in lines)


def _quote_flow_item(text: str) -> str:
    return repr(text) if "$" in text else text


if __name__ == "__main__":
    print(render_dvc_yaml(), end="")
