"""Stage `probe`: which cases a model is asked, and which answers it need not give again."""

import shutil
from typing import Any

import pytest

from tasks.core import facts
from tasks.core.files import read_json, tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate import models, predict
from tasks.stages.evaluate.inference.model_process import ModelProcess
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.suites import probe
from tasks.stages.evaluate.suites.kept_answers import kept_folder
from tests.stages.evaluate import house
from tests.stages.evaluate.suites.suite_house import derived, give_suites, params, suite


def answers(layout: Layout, which: ModelName = "base", **evaluation: Any) -> dict[str, str]:
    probe.run(params(**evaluation), layout, which)
    rows = record.read_table(layout.artefacts(f"probe/{which}") / "answers.parquet").to_pylist()
    return {row["case"]: row["answer"] for row in rows}


def asked(layout: Layout, which: ModelName = "base") -> int:
    measured = read_json(layout.measurements(f"probe/{which}") / "facts.json")["facts"]
    return int(facts.facts_from_json(measured)["asked"].value)


def test_a_case_is_answered_as_a_row_with_its_text_would_be(layout: Layout) -> None:
    give_suites(layout, derived(rows=50), suite())
    said = answers(layout)
    predict.run(house.params(), layout, "base")
    rows = record.read_table(layout.artefacts("predict/base") / "predictions.parquet").to_pylist()
    assert {f"rephrased/{row['record_id']}.original": row["answer"] for row in rows}.items() <= said.items()
    assert len(said) == 12 * 3 + 1 == asked(layout)


def test_only_what_is_new_is_asked(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = {"id": "one", "prompt": "Say pineapple."}, {"id": "two", "prompt": "Say nothing."}
    give_suites(layout, suite(cases=[first]))
    known = answers(layout)
    give_suites(layout, suite(cases=[first, second, {**second, "id": "again"}]))
    now = answers(layout)
    assert asked(layout) == 1 and now["pushed/one"] == known["pushed/one"] and now["pushed/two"] == now["pushed/again"]
    monkeypatch.setattr(models, "load_model", lambda *_: pytest.fail("loaded, though nothing is new"))
    digest = tree_digest(layout.artefacts("probe/base"))
    answers(layout)
    assert asked(layout) == 0 and tree_digest(layout.artefacts("probe/base")) == digest


@pytest.mark.parametrize("what", ["weights", "settings", "adapter"])
def test_another_model_or_setting_is_asked_anew(layout: Layout, what: str) -> None:
    give_suites(layout, suite())
    answers(layout)
    which: ModelName = "base"
    if what == "weights":
        house.enliven(layout.artefacts("base_model") / "model", factor=0.5)
    if what == "adapter":
        house.write_adapter(layout.artefacts("base_model") / "model", layout.artefacts("train") / "adapter")
        which = "candidate"
    answers(layout, which, **({"max_new_tokens": 5} if what == "settings" else {}))
    assert asked(layout, which) == 1


def test_a_stage_that_died_goes_on_where_it_stopped(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    give_suites(layout, derived(rows=12))
    real, calls = ModelProcess.answer, [0]

    def dying(self: ModelProcess, prompts: Any) -> Any:
        calls[0] += 1
        if calls[0] > 6:
            raise KeyboardInterrupt
        return real(self, prompts)

    monkeypatch.setattr(ModelProcess, "answer", dying)
    with pytest.raises(KeyboardInterrupt):
        answers(layout)
    (kept,) = (path for path in kept_folder(layout, "base").iterdir() if path.suffix != ".lock")
    assert len(kept.read_bytes().splitlines()) == 16, "four batches of four"
    with kept.open("ab") as file:
        file.write(b'{"answer": "damaged"}\n{"answer": {"ans')
    monkeypatch.setattr(ModelProcess, "answer", real)
    said = answers(layout)
    assert asked(layout) == 36 - 16
    shutil.rmtree(kept_folder(layout, "base"))
    assert answers(layout) == said


def test_nothing_is_loaded_without_cases_or_champion(layout: Layout) -> None:
    give_suites(layout)
    assert answers(layout, "candidate") == {}, "though there is no candidate"
    give_suites(layout, suite())
    write_json(layout.champion_path, None)
    assert answers(layout, "champion") == {}
    assert read_json(layout.artefacts("probe/champion") / "result.json") == {"present": False, "facts": {}}


def test_a_prompt_that_leaves_no_room(layout: Layout) -> None:
    give_suites(layout, suite(cases=[{"id": "long", "prompt": "word " * 5000}, {"id": "short", "prompt": "word"}]))
    said = answers(layout)
    assert said["pushed/long"] == "" and asked(layout) == 1
