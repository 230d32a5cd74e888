"""The report: complete, self-contained, the same twice, and harmless whatever customers and models write."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.facts import Fact
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.stages.evaluate.report import charts, rendering
from tasks.stages.evaluate.report.stage_results import TrainingStep
from tests.stages.evaluate import house
from tests.stages.evaluate.browser import Page, page_of

NASTY = "<script>alert('x')</script><img src=https://evil.example/x.png onerror=alert(1)>\"'&{{ 7*7 }}"
METRICS = [
    {"name": "right enough", "fact": "evaluate.exact_match", "at_least": 0.7},
    {"name": "surely right", "fact": "evaluate.exact_match", "bound": "low", "at_least": 0.7},
    {"name": "fast", "fact": "measured.predict.latency_p95_ms", "at_most": 200},
    {"name": "used", "fact": "adoption", "judged": "production", "at_least": 0.5},
]


def test_it_is_well_formed_and_loads_nothing(answered: Layout) -> None:
    page = page_of(answered)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    loading = {"src", "href", "srcset", "data", "action", "xlink:href"}
    assert all(value.startswith("#") for name, value in page.attributes if name in loading)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    css = (rendering.TEMPLATES / "report.css").read_text()
    assert "url(" not in css and "@import" not in css
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_every_link_leads_somewhere(answered: Layout) -> None:
    page = page_of(answered)
    targets = [value.removeprefix("#") for name, value in page.attributes if name == "href"]
    assert len(targets) >= 8
    assert set(targets) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_what_people_and_models_write_is_shown_and_does_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    evil = '{"intent": "<b>bold</b>", "queue": "q"}'
    rows = [house.saying(number, NASTY, evil, department=NASTY, language="<i>") for number in range(2)]
    house.write_split(layout, [*rows, house.row(3)])
    house.write_answers(layout, {"base": lambda _: NASTY, "candidate": house.right})
    page = page_of(layout)
    assert not {"script", "img", "b", "i"} & (set(page.tags) - {"b", "i"})
    html = (layout.artefacts("evaluate") / "report.html").read_text()
    for raw in ("<script", "<img", "<b>bold", "<i>"):
        assert raw not in html
    assert "{{ 7*7 }}" in html
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in html


def test_figures_and_verdicts_are_there(answered: Layout) -> None:
    text = page_of(answered).text
    assert "80.0 % right" in text
    assert "Better than the base model by 80.0 points (95% interval" in text
    assert "no champion to compare with" in text
    assert "Gained over the base model: 24 rows" in text
    assert "Lost against the base model: 0 rows" in text
    assert "Still wrong: 6 rows" in text
    assert "By department" in text and "By language" in text


def test_an_undecided_comparison_says_what_it_could_have_shown(answered: Layout) -> None:
    answers = {"base": lambda _: "", "champion": house.mostly_right, "candidate": house.mostly_right}
    house.write_answers(answered, answers)
    text = page_of(answered).text
    assert "No difference from the champion is shown: +0.0 points" in text
    assert "With 30 rows the comparison is underpowered for true differences below 30" in text


def test_success_metrics_are_judged_as_far_as_the_page_can(answered: Layout) -> None:
    text = page_of(answered, METRICS).text
    assert "✓ met right enough evaluate.exact_match ≥ 0.7" in text
    assert "✗ missed surely right evaluate.exact_match low end ≥ 0.7" in text
    assert "… at the gate fast measured.predict.latency_p95_ms ≤ 200 measured, not on this page" in text
    assert "◷ in production used adoption ≥ 0.5 measured after rollout" in text


def test_the_page_for_people_adds_what_was_measured(answered: Layout) -> None:
    measured = {"latency_p95_ms": Fact(value=251.4, unit="ms", note="one at a time")}
    house.write_answers(answered, {"base": lambda _: "I am sorry", "candidate": house.mostly_right}, measured)
    digested = page_of(answered, METRICS)
    assert "251" not in digested.text and "speed" not in digested.ids
    path = rendering.write_report(answered, *house.sections(METRICS))
    page = Page(path.read_text())
    assert path == answered.root / "measured" / "report.html"
    assert "speed" in page.ids and page.open == []
    assert "✗ missed fast measured.predict.latency_p95_ms ≤ 200 251 ms" in page.text
    assert "latency_p95_ms : one at a time" in page.text


def test_the_loss_curve_is_drawn(answered: Layout) -> None:
    assert "left no loss curve" in page_of(answered).text
    curve = [{"step": step, "loss": 3 / step, "lr": 0.001, "tokens": step * 10} for step in range(1, 30)]
    write_json(answered.artefacts("train") / "curve.json", curve)
    page = page_of(answered)
    assert page.tags.count("polyline") == 3
    assert any("from 3.00 at step 1 to 0.10 at step 29" in value for _, value in page.attributes)


def test_a_curve_stays_in_its_box() -> None:
    drawn = charts.loss_curve([TrainingStep(step, 4.2 / step, 0.001 * step) for step in range(1, 60)])
    assert drawn is not None
    for line in (drawn.loss, drawn.smooth, drawn.rate):
        places = [tuple(map(float, point.split(","))) for point in line.split()]
        assert len(places) == 59
        assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.HEIGHT for x, y in places)
        assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert drawn.y[0].text == "0" and float(drawn.y[-1].text) >= 4.2


def test_looks_at_the_validation_rows_are_drawn_with_the_lowest_marked() -> None:
    looks = {10: 3.0, 20: 2.0, 30: 6.0}
    drawn = charts.loss_curve([TrainingStep(step, 4.2 / step, 0.001, looks.get(step)) for step in range(1, 31)])
    assert drawn is not None and drawn.best is not None
    assert (drawn.best.step, drawn.best.loss) == (20, 2.0) and float(drawn.y[-1].text) >= 6
    assert drawn.validation.split()[1] == f"{drawn.best.x:.1f},{drawn.best.y:.1f}"


@pytest.mark.parametrize("losses", [[], [1.0]])
def test_a_training_of_one_step_has_no_curve(losses: list[float]) -> None:
    assert charts.loss_curve([TrainingStep(1, loss, 0.1) for loss in losses]) is None


def test_a_training_without_loss_or_rate_still_draws() -> None:
    assert charts.loss_curve([TrainingStep(1, 0.0, 0.0), TrainingStep(2, 0.0, 0.0)]) is not None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 3.2, [0, 1, 2, 3, 4]),
        (1, 60, [0, 20, 40, 60]),
        (5, 5.4, [5, 5.1, 5.2, 5.3, 5.4]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert charts.axis_ticks(low, high) == expected


def test_seventy_seven_labels_fit_a_page(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    rows = [house.saying(number, "m", f"label_number_{number % 77:02}") for number in range(154)]
    house.write_split(layout, rows, rows[:77])

    def mostly(row: dict[str, Any]) -> str:
        return "dunno" if row["record_id"][-1] == "0" else house.right(row)

    house.write_answers(layout, {"base": lambda _: "dunno", "candidate": mostly})
    page = page_of(layout, target="label", label_field=None)
    widths = [int(value) for name, value in page.attributes if name == "width" and value.isdigit()]
    assert next(width for width in widths if width > 99) <= 1060
    assert "label_number_76 · 77" in page.text
    assert "expected label_number_00, answered (other): 1 of 2" in page.text


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [("short", 9, "short"), ("one two three", 9, "one two …"), ("x" * 20, 9, "x" * 9 + " …")],
)
def test_long_texts_are_cut_between_words(text: str, length: int, expected: str) -> None:
    assert rendering.shorten(text, length) == expected


def test_breakable_labels_are_still_escaped() -> None:
    assert str(rendering.breakable_html("a_<b>")) == "a_<wbr>&lt;b&gt;"


def test_where_a_trainings_time_went_is_a_bar_of_its_parts(answered: Layout) -> None:
    shares = {"forward": 0.3, "backward": 0.45, "optimizer": 0.05, "data": 0.0002, "failures": 0.0, "other": 0.1998}
    stated = {f"time_{name}": {"value": share} for name, share in shares.items()}
    took = {"tokens_per_second": {"value": 1234.4}, "fill": {"value": 0.97}, "seconds_lost": {"value": 3}}
    write_json(answered.measurements("train") / "facts.json", {"facts": stated | took})
    parts = charts.time_bar({name: Fact(value=it["value"]) for name, it in stated.items()})
    assert [(part.name, part.start, part.width) for part in parts] == [
        ("forward", 0, 30), ("backward", 30, 45), ("optimizer", 75, 5), ("other", 80, 19.98),
    ]  # fmt: skip
    page_of(answered)
    rendering.write_report(answered, *house.sections())
    html = (answered.root / "measured" / "report.html").read_text()
    assert "Where the time went" in html and "backward <b>45.0 %</b>" in html
    assert "1,234 tokens a second · 97.0% of the computed positions hold a token · 3 s lost to failures" in html
    assert "Where the time went" not in (answered.artefacts("evaluate") / "report.html").read_text()
