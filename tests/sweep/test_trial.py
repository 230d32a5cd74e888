"""A trial is looked at while it trains: it is ended as long as that saves something, and not once it is done."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.core.records.rendering import Example
from tasks.scratch import stage_execution
from tasks.stages.train import train
from tasks.stages.train.rows.examples import ExampleWriter, TokensOrigin
from tasks.sweep import trial
from tests.stages.evaluate import house

STEPS = 3
PARAMS = house.params().model_copy(update={"training": house.params().training.model_copy(update={"epochs": STEPS})})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A worktree with a model and tokens, as far as digests of them go: one step an epoch."""
    layout = Layout(tmp_path / ".hallmark" / "swept" / ".hallmark" / "runs" / "trials")
    write_json(layout.artefacts("base_model") / "result.json", {"model_sha256": "a" * 64})
    write_json(layout.stage_digests_path, {"train": "b" * 64})
    layout.artefacts("tokenise").mkdir(parents=True)
    with ExampleWriter(layout.artefacts("tokenise"), 10) as writer:
        writer.add(Example([1, 2, 3], 1))
        writer.finish(TokensOrigin(data="", validation="", prompts="", model=""))
    return layout


@pytest.mark.parametrize(("recorded", "stopped"), [(STEPS - 1, True), (STEPS, False)])
def test_one_that_has_come_to_its_end_is_not_stopped(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, recorded: int, stopped: bool
) -> None:
    points = [{"step": step + 1, "loss": 1.0, "validation_loss": 1.0} for step in range(STEPS)]

    def bring(layout: Layout, stage: str, boxed: bool, say: Callable[[str], None]) -> None:
        """The stage, which says something once so many steps are done, and ends well."""
        wanted = train.Params(training=PARAMS.training, prompts=PARAMS.prompts)
        kept = layout.cache_folder("checkpoints", "train") / train.inputs_digest(wanted, layout) / "scratch"
        kept.mkdir(parents=True)
        (kept / "record.jsonl").write_text("".join(f"{json.dumps(point)}\n" for point in points[:recorded]))
        say("a line")
        measured: dict[str, Any] = {name: {"value": 1.0} for name in ("seconds", "tokens_per_second")}
        write_json(layout.measurements("train") / "facts.json", {"facts": measured})
        write_json(layout.artefacts("train") / "curve.json", points)

    monkeypatch.setattr(stage_execution, "execute_stage", bring)
    outcome = trial.run_training(layout, PARAMS, False, lambda _: None, lambda _: True)
    assert outcome.stopped is stopped and len(outcome.points) == (recorded if stopped else STEPS)
