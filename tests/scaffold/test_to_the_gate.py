"""A file of one's own to the data gate by what README and the guide say, in a checkout as it ships."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tasks.core.files import read_json
from tasks.core.params.params import load_params
from tasks.gates import cases, evidence
from tasks.gates.evidence import Evidence
from tasks.runs.run import Run
from tests.scaffold.files import as_csv, letters
from tests.stock_checkout import blocks, make_stock_checkout, run_asked_for, take_through_data, type_in, typed
from tests.tiny_project import ROOT, create

GUIDE = "docs/guides/use-case.md"
FILE = "plants.csv"


class Typed(NamedTuple):
    run: Run
    printed: list[tuple[str, list[str]]]
    """What each command of the guide printed, and the lines that the guide shows of it."""


def evidence_of(run: Run) -> Evidence:
    return evidence.collect_evidence("data", run.layout, run.params, run.governance().policy, run.signed_request)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """A new user who types what the guide shows, and what `hallmark new` says comes next, up to the data gate."""
    project = make_stock_checkout(tmp_path_factory.mktemp("gate") / "project")
    (project.parent / FILE).write_text(as_csv(letters()))
    began, decided = (typed(block) for block in blocks(GUIDE) if "$ hallmark" in block)
    printed = [(type_in(project, command), shown) for command, shown in began]
    add, init, ask = (line.strip() for line in began[-1][1][-3:])
    type_in(project, add)
    type_in(project, init)
    run = take_through_data(run_asked_for(project, ask))
    cases.open_gate(run.ledger(), evidence_of(run))
    printed += [(type_in(project, command), shown) for command, shown in decided]
    return Typed(run, printed)


def test_readme_names_the_command_and_the_guide_that_shows_it() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert "`hallmark new NAME --from FILE` writes a [use case](docs/guides/use-case.md)" in readme
    assert any(FILE in line and line.startswith("$ hallmark new ") for line in "".join(blocks(GUIDE)).splitlines())


def test_every_command_prints_what_the_guide_shows(user: Typed) -> None:
    for printed, shown in user.printed:
        for line in shown:
            wanted = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", user.run.id, " ".join(line.split()))
            assert wanted in " ".join(printed.split())


def test_every_check_of_the_data_gate_holds(user: Typed) -> None:
    asked = evidence_of(user.run)
    assert {check.name: check.verdict for check in asked.checks if check.verdict == "failed"} == {}
    facts = {check.fact: check.at_least for check in asked.checks}
    assert "validate.failed_expectations" in facts
    assert facts["split.test_rows"] == 100 and (facts["split.train_rows"] or 500) < 260, "what the file can reach"


def test_all_rows_of_the_file_are_drawn(user: Typed) -> None:
    split = read_json(user.run.layout.artefacts("split") / "result.json")
    assert split["train_rows"] + split["test_rows"] == 400 and split["test_rows"] >= 100
    assert user.run.params.data.validation_share and split["validation_rows"], "as the training that ships asks"


def test_the_next_file_of_the_kind_holds_what_the_first_one_did(user: Typed) -> None:
    """Fewer rows of other lengths: what was drawn from one file is not so tight that the next one fails."""
    root, request = user.run.checkout.root, user.run.request
    rows = [{"letter": f"{row['letter']} Thank you.", "topic": row["topic"]} for row in letters()[::-1][:250]]
    (root.parent / FILE).write_text(as_csv(rows))
    again = create(root, "two", request.requested_by, params=request.params, governance=request.governance)
    asked = evidence_of(take_through_data(again))
    failed = {check.fact for check in asked.checks if check.verdict == "failed"}
    assert failed == {"split.train_rows", "split.test_rows"}, "of 250 rows there are too few, as the risk officer asked"


@pytest.mark.parametrize(("rows", "share"), [(60, 0), (90, 0.17), (400, 0.05)])
def test_a_small_file_validates_on_more_of_its_rows_and_a_tiny_one_on_none(
    rows: int, share: float, user: Typed, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text(as_csv(letters(rows)))
    said = "--owner data-owner --licence ours --basis none --purpose 'name the topic'"
    type_in(user.run.checkout.root, f"hallmark new garden-{rows} --from {tmp_path / FILE} {said}")
    params = load_params(user.run.checkout.root / "examples" / f"garden-{rows}" / "params.yaml")
    assert params.data.validation_share == share
    assert params.training == load_params(ROOT / "params.yaml").training.model_copy(
        update={"max_length": params.training.max_length, "validate_steps": None}
    )
