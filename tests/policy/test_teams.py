"""Teams of a policy: what is refused in the file, whom they let see what, and a policy without them, which stays."""

import re
from datetime import UTC, datetime

import pytest

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.policy import differences, explanation
from tasks.policy.policy import Policy
from tasks.policy.team_visibility import visible_use_cases
from tests.governed.house import PEOPLE, POLICY, House, reload

TEAMS = """\
teams:
  claims:
    use_cases: [triage, letters]
    people: [lead, asker]
    risk_tiers: [low]
    quota: {runs_at_once: 2, cost_in_30_days: 800, price_per_hour: 3.5}
  support: {use_cases: [answers], people: [asker]}
overseers: [risk]
"""
AUDITED = PEOPLE + "  - {id: eve, name: Eve, roles: [auditor]}\n"


def test_a_policy_without_teams_is_digested_as_before_there_were_any(house: House) -> None:
    reload(house)
    policy = house.governance.policy
    before = {name: value for name, value in policy.model_dump(mode="json").items() if "team" not in name}
    del before["overseers"]
    assert policy.json_value == before and policy.sha256 == sha256_bytes(canonical_json(before))
    assert Policy.from_value(before).teams == {}


def test_teams_are_part_of_the_digest(house: House) -> None:
    reload(house)
    plain = house.governance.policy
    reload(house, POLICY + TEAMS)
    policy = house.governance.policy
    assert policy.sha256 != plain.sha256 and list(policy.json_value["teams"]) == ["claims", "support"]
    people = house.governance.people
    told = "\n".join(differences.describe_differences(plain, people, policy, people))
    assert (
        "policy.teams.claims is added: " in told and "runs_at_once 2" in told and "overseers: none becomes risk" in told
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[answers]", "[answers, letters]", "use case letters is of claims and of support; it can belong to one team"),
        ("risk_tiers: [low]", "risk_tiers: [high]", "teams.claims.risk_tiers: no tier is called high; there are exp"),
        (
            "people: [lead, asker]",
            "people: [lead, nobody]",
            "teams.claims.people: .*people.yaml has no nobody; add them",
        ),
        ("people: [asker]", "people: [gone]", "nobody of team support may request a run"),
        ("people: [asker]", "people: []", "teams.support.people: "),
        ("use_cases: [answers]", "use_cases: []", "teams.support.use_cases: "),
        ("runs_at_once: 2", "runs_at_once: 0", "teams.claims.quota.runs_at_once: "),
        ("cost_in_30_days: 800", "cost_in_30_days: 0", "teams.claims.quota.cost_in_30_days: "),
        ("runs_at_once: 2", "runs_at_most: 2", "teams.claims.quota.runs_at_most: "),
    ],
)
def test_wrong_teams_are_refused_with_their_line(house: House, old: str, new: str, told: str) -> None:
    people = PEOPLE.replace("valid_before: 2026-01-01", "valid_after: 2020-01-01, valid_before: 2026-01-01")
    wrong = (POLICY + TEAMS).replace(old, new)
    assert wrong != POLICY + TEAMS
    if "gone" in new:
        wrong, told = wrong.replace("  low:\n", "  low:\n    requesters: [engineer]\n"), told
        wrong = wrong.replace("people: [gone]", "people: [gone], risk_tiers: [low]")
    with pytest.raises(InputError) as refused:
        reload(house, wrong, people)
    assert re.search(told, str(refused.value)) and re.search(r"policy\.yaml:\d+: ", str(refused.value))


def test_overseers_without_teams_are_refused(house: House) -> None:
    with pytest.raises(InputError, match="these roles see the runs of every team, and there is no team"):
        reload(house, POLICY + "overseers: [risk]\n")


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("lead", {"triage", "letters"}),
        ("asker", {"triage", "letters", "answers"}),
        ("releaser", set()),
        ("risk-one", None),
        ("eve", None),
    ],
)
def test_a_person_sees_the_use_cases_of_their_teams(house: House, who: str, seen: set[str] | None) -> None:
    reload(house, POLICY + TEAMS, AUDITED)
    person, now = house.governance.people.get(who), datetime.now(UTC)
    assert person is not None
    visible = visible_use_cases(house.governance.policy, person, now)
    assert visible.names == (None if seen is None else frozenset(seen))
    assert visible.contains("of no team") is (seen is None)


def test_without_teams_everybody_sees_everything(house: House) -> None:
    reload(house)
    person = house.governance.people.get("releaser")
    assert person and visible_use_cases(house.governance.policy, person, datetime.now(UTC)).names is None


def test_a_policy_in_words_says_what_a_team_may(house: House) -> None:
    reload(house, POLICY + TEAMS, AUDITED)
    lines = [line.strip() for line in explanation.explanation_lines(house.governance.policy, house.governance.people)]
    at = lines.index("team claims")
    assert lines[at + 1 : at + 7] == [
        "answers for triage, letters",
        "lead, asker may ask for runs of these, if the risk tier lets them, and see the runs",
        "role auditor (eve) and role risk (both, risk-one) see them too, and so does who owns their data or decides on "
        "them",
        "risk tiers: low",
        "at most 2 runs at once, queued or executing",
        "no run begins once stages have cost 800 USD in 30 days, at 3.5 USD an hour",
    ]
