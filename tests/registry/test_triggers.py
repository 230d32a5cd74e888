"""What the ledger says has happened, as triggers see it: each once, and nothing from before they were declared."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tasks.core.errors import InputError
from tasks.core.params.params import load_params
from tasks.declarations import signing
from tasks.declarations.signed_declaration import declare_card
from tasks.incidents import incidents
from tasks.policy.adoption_entries import ADOPTED
from tasks.scheduling import trigger_events
from tasks.scheduling.deployments_file import Deployments
from tasks.scheduling.occasion_log import OccasionLog
from tasks.scheduling.trigger_events import TriggerContext
from tests.registry.conftest import copied
from tests.registry.house import PARAMS, House
from tests.tiny_project import git

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def happened(house: House, since: datetime = LONG_AGO, **trigger: Any) -> list[tuple[str, str]]:
    """Key and reason of every occasion of a trigger."""
    declared = Deployments.model_validate({"triggers": {"t": trigger}}).triggers["t"]
    place = TriggerContext(house.root, house.ledger, house.governance, OccasionLog().update(house.ledger))
    return [(each.key, each.reason) for each in trigger_events.find_occasions("t", declared, since, place)]


def params(house: House) -> Path:
    """A params file that the checkout's HEAD holds."""
    path = house.root / "params.yaml"
    with path.open("w") as file:
        YAML().dump(PARAMS, file)
    git(house.root, "init", "-q")
    commit(house)
    return path


def commit(house: House) -> None:
    git(house.root, "add", "params.yaml")
    git(house.root, "commit", "-qm", "change")


def test_an_adoption_is_answered_once_and_a_forged_one_never(house: House) -> None:
    before = house.ledger.now()
    assert happened(house, before, on="governance_changed") == []
    house.adopt(lambda text: text.replace("at_least: 2", "at_least: 3"))
    ((key, reason),) = happened(house, before, on="governance_changed")
    assert key == f"t/{house.ledger.entries(ADOPTED)[-1].subject[:16]}"
    assert reason == "trigger t: policy or people were adopted"
    house.ledger.append(ADOPTED, "0" * 64, {"envelope": {"payload": "", "payloadType": "", "signatures": []}})
    assert happened(house, before, on="governance_changed") == [(key, reason)]


def test_an_incident_is_answered_where_the_trigger_names_its_kind(house: House) -> None:
    before = house.ledger.now()
    entry = incidents.open_incident_if_new(
        house.ledger, house.governance, "alias-moved", "triage", {}, "major", "risk", "the alias was moved"
    )
    assert entry is not None
    told = [(f"t/{entry.subject}", f"trigger t: incident {entry.subject} was opened")]
    assert happened(house, before, on="incident") == told
    assert happened(house, before, on="incident", what=["alias-moved", "break-glass"]) == told
    assert happened(house, before, on="incident", what=["waiver-expired"]) == []
    assert happened(house, house.ledger.now(), on="incident") == [], "it was there before the trigger"


def test_a_card_that_is_adopted_anew_is_answered(house: House) -> None:
    path, before = params(house), house.ledger.now()
    assert happened(house, on="card_changed") == []

    def adopt() -> None:
        card = declare_card(load_params(path))
        signing.sign_declarations(house.ledger, house.governance, "product", [card], "looked at")

    adopt()
    ((first, reason),) = happened(house, before, on="card_changed")
    assert reason == "trigger t: the use-case card/triage was adopted anew"
    path.write_text(path.read_text().replace("agents", "everybody"))
    adopt()
    assert happened(house, before, on="card_changed") == [], "a run of HEAD would still have the card of before"
    commit(house)
    ((second, _),) = happened(house, before, on="card_changed")
    assert first != second
    assert happened(house, house.ledger.now(), on="card_changed") == []


@pytest.fixture
def waived(tmp_path: Path, founded_once: Path) -> House:
    """Champion triage-1 stands on two waivers that end in 20 days."""
    house = copied(founded_once, tmp_path / "house")
    house.release_waived("run-1", house.ledger.now() + timedelta(days=20))
    params(house)
    return house


def test_a_waiver_is_answered_some_days_before_it_ends(waived: House) -> None:
    assert happened(waived, on="waiver_expiring", days_before=19) == []
    (told,) = happened(waived, on="waiver_expiring", days_before=21)
    assert "a waiver of champion triage-1 ends on " in told[1]
    assert "'good enough' at the evaluation gate, 'right answers' at the evaluation gate" in told[1]
    assert happened(waived, on="waiver_expiring", days_before=365) == [told], "its key stays, so it makes one run"


@pytest.mark.parametrize("on", ["card_changed", "waiver_expiring"])
def test_a_params_file_that_is_gone_is_told(house: House, on: str) -> None:
    params(house)
    (house.root / "gone.yaml").write_text((house.root / "params.yaml").read_text())  # which HEAD does not hold
    look: Callable[[], object] = lambda: happened(house, on=on, params="gone.yaml")  # noqa: E731
    with pytest.raises(InputError, match=r"gone\.yaml: no such file in commit"):
        look()


def test_events_are_said_and_not_looked_for(house: House) -> None:
    assert happened(house, on="event") == []
