"""Stage `leakage`: models that were trained on rows until they know them are caught, and others are not."""

import random
import string
from typing import Any

import pytest

from tasks.core import facts
from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.stages.evaluate import models
from tasks.stages.evaluate.leakage.results_schema import LeakageResults
from tests.stages.evaluate import house
from tests.stages.evaluate.leakage.leakage_house import measured, plant, train_candidate


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_canaries_tell_who_was_trained_on_them(layout: Layout, seed: int) -> None:
    planted = plant(layout, 4, seed)
    train_candidate(layout, [house.row(number) for number in range(100, 104)], steps=4, seed=seed)
    innocent = measured(layout).canaries
    assert innocent and innocent.p > 0.01 and not any(each.extracted for each in innocent.canaries)
    train_candidate(layout, planted, steps=10, seed=seed)
    guilty = measured(layout).canaries
    assert guilty and guilty.p < 1e-4 and guilty.mean_rank.high < 0.1
    assert guilty.mean_exposure > 6 and guilty.extracted.value >= 0.5
    stated = facts.facts_from_json(read_json(layout.artefacts("leakage") / "result.json")["facts"])
    assert stated["canary_p"].value == guilty.p and stated["canaries"].value == 4
    assert LeakageResults.model_validate(read_json(layout.artefacts("leakage") / "leakage.json")).canaries == guilty


def random_row(number: int) -> dict[str, Any]:
    """A record whose target nobody can know without having seen it."""
    word = "".join(random.Random(number).choices(string.ascii_lowercase, k=5))
    return house.saying(number, f"text {number}", word * 13)


def test_rows_that_were_learnt_by_heart_are_recognised_and_continued(layout: Layout) -> None:
    train, test = ([random_row(number) for number in range(start, start + 6)] for start in (100, 200))
    house.write_split(layout, test, [*train, *(random_row(number) for number in range(300, 302))])
    plant(layout, 0)
    train_candidate(layout, train, steps=40)
    found = measured(layout, leakage_rows=20)
    assert found.canaries is None and found.membership and found.regurgitation
    assert (found.membership.train_rows, found.membership.test_rows) == (8, 6)
    assert found.membership.by_reference.auc.value > 0.8 and found.membership.of_base.auc.low < 0.5
    assert all(rate.is_underpowered for rate in found.membership.by_reference.rates), "6 test rows"
    assert found.regurgitation.verbatim == 6 and found.regurgitation.of_train_by_base.value == 0
    assert found.regurgitation.excess and found.regurgitation.excess.low > 0
    stated = read_json(layout.artefacts("leakage") / "result.json")["facts"]
    assert not any(name.startswith("membership_tpr") for name in stated), "too few rows state no rate"


def test_nothing_is_loaded_without_canaries_and_rows(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "locate_model", lambda *_: pytest.fail("looked for a model"))
    for none in (0, None):
        assert measured(layout, leakage_rows=none) == LeakageResults(confidence=0.95)
    assert read_json(layout.artefacts("leakage") / "result.json")["facts"].keys() == {"canaries"}
