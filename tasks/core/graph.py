"""Table of stages and gates, in the order of a run. All other lists of them are derived from it.

A new stage needs a module with `run(params, layout)` and an entry in STEPS, or in `tasks.core.steps.data` if it is a
data stage. A new gate needs an entry in STEPS and rules in policy.yaml. `python -m tasks.core.graph` prints the
dvc.yaml that belongs to the table.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.core.steps.data import DATA
from tasks.core.steps.stage import CHAMPION, CODE, SOURCES, SUITES, Stage


@dataclass(frozen=True)
class Gate:
    """Gate, which decides about the output of the stage before it.

    Its evidence covers all stages since the gate before it. If it directly follows another gate, its evidence covers
    the same stages as that gate's.
    """

    name: str


DATA_STAGES: tuple[str, ...] = tuple(stage.name for stage in DATA)
"""Names of the data stages, `ingest` to `split`."""

STEPS: tuple[Stage | Gate, ...] = (
    *DATA,
    Gate("data"),
    Stage("base_model", "tasks.stages.train.base.base_model", ("base_model",)),
    Stage(
        "tokenise",
        "tasks.stages.train.rows.tokenise",
        ("prompts",),
        ("artefacts/split", "artefacts/base_model"),
        behind=("data",),
    ),
    Stage(
        "train",
        "tasks.stages.train.train",
        ("training", "prompts"),
        ("artefacts/split", "artefacts/base_model", "artefacts/tokenise"),
        behind=("data",),
        measures=True,
    ),
    Stage(
        "predict",
        "tasks.stages.evaluate.predict",
        ("evaluation", "prompts"),
        ("artefacts/base_model", "artefacts/split"),
        measures=True,
        each={"base": "artefacts/base_model/result.json", "champion": CHAMPION, "candidate": "artefacts/train"},
    ),
    Stage(
        "evaluate",
        "tasks.stages.evaluate.evaluate",
        ("evaluation", "use_case"),
        (
            SOURCES,
            *(f"artefacts/{name}/result.json" for name in DATA_STAGES if name != "split"),
            *(f"artefacts/predict/{name}" for name in ("base", "champion", "candidate")),
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
            *(SOURCES, SUITES, CHAMPION, CODE, "inputs/stages.json"),  # the manifest has a digest of all code
            *(f"artefacts/{name}" for name in (*DATA_STAGES, "base_model")),
            "artefacts/tokenise",
            "artefacts/train",
            *(f"artefacts/predict/{name}" for name in ("base", "champion", "candidate")),
            "artefacts/evaluate",
        ),
        behind=("evaluation",),
    ),
    Gate("release"),
)

STAGES: dict[str, Stage] = {step.name: step for step in STEPS if isinstance(step, Stage)}
RUNS: dict[str, Stage] = {run: stage for stage in STAGES.values() for run in stage.runs}
"""Stages by their name in DVC, with an entry for each variant: `train`, `predict@base`, …"""
GATES: tuple[str, ...] = tuple(step.name for step in STEPS if isinstance(step, Gate))


def in_order(gates: Iterable[str]) -> list[str]:
    """Sort names of gates in the order of the table; gates of other versions come last, sorted by name."""
    return sorted(gates, key=lambda gate: (GATES.index(gate) if gate in GATES else len(GATES), gate))


def looked_at(gate: str) -> tuple[str, ...]:
    """Return the stages that a gate's evidence covers: those since the previous gate, or else that gate's stages."""
    passed: list[str] = []
    after_gate = False
    for step in STEPS:
        if isinstance(step, Stage):
            passed = [*([] if after_gate else passed), step.name]
        elif step.name == gate:
            break
        after_gate = isinstance(step, Gate)
    return tuple(passed)


LOOKS_AT: dict[str, tuple[str, ...]] = {gate: looked_at(gate) for gate in GATES}
"""Stages, by gate, whose facts and artefacts are in the gate's evidence."""
SUBJECTS: dict[str, str] = {gate: stages[-1] for gate, stages in LOOKS_AT.items()}
"""Stage, by gate, whose output the gate decides about."""
LET_STAGES_RUN: tuple[str, ...] = tuple(gate for gate in GATES if any(gate in it.behind for it in STAGES.values()))
"""Gates whose statements stages verify before they run. Promotion requires the other gates too."""


def dvc_yaml() -> str:
    return HEAD + "".join(_dvc(stage) for stage in STAGES.values())


HEAD = """\
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


def _dvc(stage: Stage) -> str:
    if not stage.each:
        return f"  {stage.name}:\n" + _body(stage, stage.name, stage.dependencies(), "    ")
    each = "".join(f"      {key}: {{reads: {path}}}\n" for key, path in stage.each.items())
    reads = [*stage.dependencies(), "${item.reads}"]
    return f"  {stage.name}:\n    foreach:\n{each}    do:\n" + _body(stage, f"{stage.name}@${{key}}", reads, "      ")


def _body(stage: Stage, run: str, reads: list[str], indent: str) -> str:
    folder = run.replace("@", "/")
    outs = [f"artefacts/{folder}", *([f"measured/{folder}"] if stage.measures else [])]
    lines = [
        f"cmd: python -I tasks/stages/start.py {run}",
        "deps:",
        *(f"  - {path}" for path in reads),
        "params:",
        *(f"  - {section}" for section in stage.params),
        f"  - inputs/stages.json: [{_plain(run)}]",
        f"outs: [{', '.join(map(_plain, outs))}]",
    ]
    return "".join(f"{indent}{line}\n" for line in lines)


def _plain(text: str) -> str:
    return repr(text) if "$" in text else text


if __name__ == "__main__":
    print(dvc_yaml(), end="")
