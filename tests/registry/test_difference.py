"""What changed between two releases, from their folders."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.inquiry.shared_records import DatasetDiff
from tasks.registry.history import comparison, release_contents
from tasks.registry.history.comparison import ReleaseDifference
from tasks.registry.history.release_contents import ReleaseContents
from tasks.registry.promote import releases
from tests.registry.house import FACTS, House, copy, writable

UNKNOWN = DatasetDiff(how="unknown", why="", sources={})


def between(before: ReleaseContents, now: ReleaseContents) -> ReleaseDifference:
    sides = (comparison.compared_release(before, ""), comparison.compared_release(now, ""))
    return comparison.compare_releases(before, now, sides, UNKNOWN, None, "not here")


def test_a_release_differs_from_itself_in_nothing(released: House) -> None:
    one = release_contents.read_release(released.bundle())
    found = between(one, one)
    assert not any(
        (found.parameters, found.made_with, found.base_model, found.policy, found.people, found.data.settings)
    )
    assert found.same_test and found.figures["evaluate.exact_match"].intervals == "overlap"
    assert {source.content for source in found.data.sources.values()} == {"same"}


def test_what_changed_is_named_with_before_and_now(released: House) -> None:
    scores = {"exact_match": {"value": 0.95, "low": 0.9, "high": 0.97}, "test_rows": {"value": 4, "unit": "rows"}}
    layout = released.begin("run-2", b"better", {"evaluate": scores})
    released.open(layout, "data")
    released.open(layout, "evaluation")
    second = released.promote(released.package(layout))
    found = between(
        release_contents.read_release(released.bundle()), release_contents.read_release(Path(second.bundle))
    )
    assert list(found.parameters) == ["training.seed"]
    assert "inputs/champion.json" in found.made_with and "code" not in found.made_with
    exact = found.figures["evaluate.exact_match"]
    assert exact.before and exact.now and (exact.before.value, exact.now.value) == (0.8, 0.95)
    assert exact.intervals == "apart"
    assert found.figures["evaluate.macro_f1"].now is None
    assert (found.now.release, found.now.run) == ("triage-2", "run-2")


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        ((0.1, 0.3), (0.3, 0.5), "overlap"),
        ((0.1, 0.3), (0.31, 0.5), "apart"),
        ((0.4, 0.5), (0.1, 0.39), "apart"),
        ((0.1, 0.9), (0.4, 0.5), "overlap"),
        ((0.1, None), (0.4, 0.5), "none"),
    ],
)
def test_intervals_overlap_where_they_have_a_value_in_common(before: Any, now: Any, wanted: str) -> None:
    facts = [{"f": Fact(value=0.2, low=low, high=high)} for low, high in (before, now)]
    assert comparison.metric_changes(*facts)["f"].intervals == wanted


def test_items_of_a_list_are_told_apart_by_their_name() -> None:
    before = {"metrics": [{"name": "b", "at_least": 1}], "users": ["x", "y"]}
    now = {"metrics": [{"name": "a", "at_least": 3}, {"name": "b", "at_least": 2}], "users": ["x"]}
    assert dict(release_contents.flatten_settings(before)) == {
        "metrics[b].name": "b",
        "metrics[b].at_least": 1,
        "users": "x, y",
    }
    assert dict(release_contents.flatten_settings(now))["metrics[b].at_least"] == 2


def test_a_folder_that_is_no_release_is_named(released: House, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the folder of a release"):
        release_contents.read_release(tmp_path)
    torn = copy(released.bundle(), tmp_path / "torn")
    (torn / "attestations" / "policy.json").write_text("{")
    with pytest.raises(InputError, match="torn is not the folder of a release"):
        release_contents.read_release(torn)


def test_figures_are_the_candidates_own(released: House) -> None:
    assert "evaluate" in FACTS
    figures = release_contents.read_release(released.bundle()).quality_metrics
    assert {"evaluate.exact_match", "measured.predict.latency_p95_ms"} <= set(figures)
    assert not any(name.startswith(("split.", "measured.predict.base")) for name in figures)


def test_a_folder_that_was_changed_is_read_and_does_not_verify(released: House, tmp_path: Path) -> None:
    changed = copy(released.bundle(), tmp_path / "changed")
    params = writable(changed) / "payload" / "params.yaml"
    params.write_text(params.read_text().replace("Small and enough.", "Large."))
    assert releases.verify_release(changed, released.governance).against
    found = between(release_contents.read_release(released.bundle()), release_contents.read_release(changed))
    assert list(found.parameters) == ["use_case.approach_reason"]
