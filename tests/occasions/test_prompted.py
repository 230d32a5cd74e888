"""When a trigger on prompts answers: what HEAD has, against what the last run of the params file had."""

from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.gates import signed_request
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.runs.run_entries import RESOLVED_KIND
from tasks.scheduling import prompt_changes, trigger_events
from tasks.scheduling.deployments_file import Deployments
from tasks.scheduling.occasion_log import OccasionLog
from tasks.scheduling.trigger_events import TriggerContext
from tests.governed.house import House
from tests.tiny_project import git

FIRST = "prompts:\n  intent: {template: Name it.}\ntraining: {seed: 1}\n"


class Checkout:
    def __init__(self, house: House, root: Path) -> None:
        self.house, self.root = house, root
        root.mkdir()
        git(root, "init", "-q")
        self.commit(FIRST)

    def commit(self, text: str, name: str = "params.yaml") -> None:
        (self.root / name).write_text(text)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", "change")

    def run(self, run: str, params: str = "params.yaml", **more: object) -> None:
        """A run of HEAD that has been resolved."""
        commit = {"commit": git(self.root, "rev-parse", "HEAD")}
        envelope = self.house.sign_request(run, params=params, **commit | more)
        signed_request.record_request(self.house.ledger, self.house.governance, envelope)
        self.house.ledger.append(RESOLVED_KIND, run, {"sources": {}})

    def look(self, **trigger: object) -> list[tuple[str, str]]:
        """Key and reason of what the trigger answers to, as the watch asks."""
        named = Deployments.model_validate({"triggers": {"words": {"on": "prompts_changed", **trigger}}}).triggers
        place = TriggerContext(self.root, self.house.ledger, self.house.governance, OccasionLog())
        found = trigger_events.find_occasions("words", named["words"], self.house.ledger.now(), place)
        return [(each.key, each.reason) for each in found]


@pytest.fixture
def checkout(house: House, tmp_path: Path) -> Checkout:
    return Checkout(house, tmp_path / "checkout")


def test_other_prompts_than_the_last_run_had_are_answered_once_a_run(checkout: Checkout) -> None:
    checkout.commit(FIRST.replace("Name", "Say"))
    assert checkout.look() == [], "there is no run to compare with"
    checkout.run("run-1")
    assert checkout.look() == []
    checkout.commit(FIRST)
    ((key, reason),) = told = checkout.look()
    assert reason == "trigger words: prompts intent of params.yaml are not those of run run-1"
    assert checkout.look() == told, "its key stays, so it makes one run"
    checkout.run("run-2")
    assert checkout.look() == []
    checkout.commit(FIRST.replace("Name", "Say"))
    checkout.run("run-3")
    checkout.commit(FIRST)
    ((again, _),) = checkout.look()
    assert again != key, "the same prompts again, after others, are another occasion"


def test_what_is_no_prompt_or_not_committed_asks_for_nothing(checkout: Checkout) -> None:
    checkout.run("run-1")
    (checkout.root / "params.yaml").write_text(FIRST.replace("Name", "Say"))
    assert checkout.look() == []
    checkout.commit("# why\n" + FIRST.replace("seed: 1", "seed: 2"))
    assert checkout.look() == []


def test_it_compares_with_runs_of_its_own_params_file_and_prompts_alone(checkout: Checkout) -> None:
    checkout.run("run-1")
    checkout.commit(FIRST.replace("Name", "Say"))
    checkout.commit(FIRST, "other.yaml")
    checkout.run("run-2", params="other.yaml")
    checkout.run("run-3", changes={"prompts.intent.template": "A try."})
    ((_, reason),) = checkout.look()
    assert reason.endswith("run run-1")
    assert checkout.look(params="other.yaml") == []
    checkout.run("run-4", changes={"training.seed": "3"})
    assert checkout.look() == [], "another seed is no other prompt"


def test_a_commit_that_is_not_here_is_nothing_to_compare_with(checkout: Checkout) -> None:
    checkout.run("run-1", commit="c0ffee" * 6 + "c0ff")
    assert checkout.look() == []


@pytest.mark.parametrize(("text", "said"), [(None, r"gone\.yaml: no such file in commit"), ("a: [", r"gone\.yaml")])
def test_a_params_file_that_head_lacks_or_that_is_no_yaml_is_told(
    checkout: Checkout, text: str | None, said: str
) -> None:
    if text:
        checkout.commit(text, "gone.yaml")
    with pytest.raises(InputError, match=said):
        checkout.look(params="gone.yaml")


def test_an_experiment_with_the_new_prompts_is_no_run_of_the_triggers_tier(checkout: Checkout) -> None:
    checkout.run("run-1")
    checkout.commit(FIRST.replace("Name", "Say"))
    checkout.run("run-2", changes={"use_case.risk_tier": "experiment"})
    assert checkout.look()
    assert checkout.look(changes={"use_case.risk_tier": "experiment"}) == []


def test_a_file_without_the_section_has_no_prompts(checkout: Checkout) -> None:
    checkout.commit("- a list\n", "list.yaml")
    assert prompt_changes.read_prompts(CommitFiles.at_head(Repository.open(checkout.root)), "list.yaml") == {}
