"""Every failed check of data names the command that shows what is behind it, wherever the check is shown."""

import shlex

import pytest

from flows.gates import failure_message
from infra.cli.gates import page
from infra.console.views.checks import check_rows
from infra.docs import cli
from tasks.gates import cases
from tasks.gates.finding_commands import finding_command
from tasks.policy.policy import load_policy
from tests.governed.house import POLICY, House, put_result, reload
from tests.tiny_project import ROOT

RUN = "20260101-000000-abcd"
ABOUT_THE_SPLIT_ITSELF = {"split.groups_on_both_sides", "split.near_prompts_on_both_sides"}
"""Metrics that are above 0 only if stage `split` has a defect, which no row of a source shows."""
ABOUT_PARAMETERS = {"templates.reused_version"}
ABOUT_ALL_RECORDS = {"validate.synthetic_auc"}
"""Metrics whose note says what tells the records apart, which no record shows by itself."""
COMMANDS = dict(cli.list_commands())
OTHER_FACTS = ("split.near_equal_labels", "deduplicate.conflicts_kept", "review.pairs")


def checked_facts() -> set[str]:
    """Metrics that the policy that ships, and those of the examples, ask at the data gate."""
    folders = [ROOT / "infra" / "governance", *(path.parent for path in (ROOT / "examples").rglob("policy.yaml"))]
    tiers = [tier for folder in folders for tier in load_policy(folder).tiers.values() if "data" in tier.gates]
    return {check.fact for tier in tiers for check in tier.gates["data"].checks}


def test_each_check_of_data_that_ships_has_a_command() -> None:
    asked = checked_facts()
    assert len(asked) > 8 and "split.labels_only_in_test" in asked
    without = {fact for fact in asked if not finding_command(fact, RUN)}
    assert without == ABOUT_THE_SPLIT_ITSELF | ABOUT_PARAMETERS | ABOUT_ALL_RECORDS


@pytest.mark.parametrize("fact", sorted({*checked_facts(), *OTHER_FACTS}))
def test_each_command_is_one_with_its_options(fact: str) -> None:
    words = shlex.split(finding_command(fact, RUN))
    if words:
        command = COMMANDS[" ".join(words[1:3])]
        options = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options and RUN in words
    assert finding_command("evaluate.exact_match", RUN) == ""


def test_the_command_stands_in_the_message_on_the_page_and_at_the_terminal(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    reload(
        house, POLICY.replace("fact: split.train_rows, at_least: 100", "fact: split.labels_only_in_test, at_most: 0")
    )
    named = {"value": 1, "note": f"labels that no training record has: records {7:032x}"}
    put_result(house.layout.artefacts("split"), labels_only_in_test=named)
    asked = house.ask()
    standing = house.judge(asked)
    command = f"hallmark data labels {asked.run} --as ID"
    message = failure_message(asked, standing)
    assert f"what is behind it: {command}" in message and f"look: hallmark gates show {asked.run} data" in message
    failed, *others = check_rows(standing, None, asked)
    assert (failed.command, failed.why) == (command, named["note"]) and {each.command for each in others} == {""}
    assert "<code>{{ check.command }}</code>" in (ROOT / "infra" / "console" / "templates" / "gate.html").read_text()
    (case,) = cases.read_cases(house.ledger, asked.run)
    page.print_evidence(case, standing, house.ledger, house.governance)
    told = " ".join(capsys.readouterr().out.split())
    assert f"what is behind 'enough rows': {command}" in told and f"{7:032x}" in told


def test_near_equal_labels_are_told_although_no_check_asks_for_them(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    put_result(
        house.layout.artefacts("split"),
        near_equal_labels={"value": 2, "note": "labels that nearly equal a more frequent"},
    )
    asked = house.ask()
    (case,) = cases.read_cases(house.ledger, asked.run)
    page.print_evidence(case, house.judge(asked), house.ledger, house.governance)
    told = " ".join(capsys.readouterr().out.split())
    wanted = (
        f"2 labels that nearly equal a more frequent, as misspelt ones do: hallmark data labels {asked.run} --as ID"
    )
    assert wanted in told
