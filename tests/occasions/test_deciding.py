"""Putting schedules in force, letting them rest: signed, once, and never for what is past."""

from datetime import UTC, datetime, timedelta

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import sha256_bytes
from tasks.ledger.ledger import Entry
from tasks.policy import signed_entry
from tasks.scheduling import control, deployments_in_force, due_times, overview
from tasks.scheduling.occasion_log import OccasionLog
from tasks.scheduling.signed_statements import (
    DECLARATION,
    DECLARED,
    PAUSED,
    RESUMED,
    SWITCH,
    Declaration,
    ScheduleSwitch,
    SwitchAction,
)
from tasks.trust import dsse
from tests.gates.test_reminders import clock
from tests.governed.house import PEOPLE, House, reload

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
FILE = 'schedules:\n  nightly: {cron: "0 3 * * *", timezone: Europe/Berlin, missed: latest}\n'


def declare(house: House, text: str = FILE, by: str = "lead") -> None:
    control.declare_deployments(house.ledger, house.governance, by, text)


def write(house: House, file: str, key: str = "lead", **other: object) -> None:
    """Append what the lead would sign who declares a file, but for something `other`, or with another's `key`."""
    follows = deployments_in_force.read_deployments(house.ledger, house.governance).sha256
    said = {
        "person": "lead", "file_sha256": sha256_bytes(file.encode()), "text": file, "follows": follows,
        "environment": "local", "time": house.ledger.now(),
    }  # fmt: skip
    statement = DECLARATION.statement(Declaration.model_validate(said | other))
    house.ledger.append(DECLARED, said["file_sha256"], {"envelope": dsse.sign_statement(statement, house.key(key))})


def write_switch(house: House, deed: SwitchAction, key: str = "lead") -> None:
    """Append what the lead would sign who pauses the schedule, or lets it go on, as an earlier version did."""
    said = ScheduleSwitch(
        deed=deed, name="nightly", person="lead", reason="r", environment="local", time=house.ledger.now()
    )
    assert said.follows is None
    kind = PAUSED if deed == "pause" else RESUMED
    house.ledger.append(kind, "nightly", {"envelope": dsse.sign_statement(SWITCH.statement(said), house.key(key))})


def switch(house: House, deed: SwitchAction, name: str = "nightly", reason: str = "the store moves") -> Entry:
    return control.pause_or_resume(house.ledger, house.governance, deed, name, "lead", reason)


def resting(house: House) -> set[str]:
    return set(deployments_in_force.read_deployments(house.ledger, house.governance).pauses)


def found(house: House) -> list[str]:
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    return [
        each.occasion.key
        for each in due_times.due_occasions(now, OccasionLog().update(house.ledger), house.ledger.now())
    ]


def test_a_file_is_in_force_once_it_is_signed_and_the_same_again_is_no_news(house: House) -> None:
    assert deployments_in_force.read_deployments(house.ledger, house.governance).declaration is None
    declare(house)
    declare(house, by="owner")
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    assert now.declaration and now.declaration.person == "lead" and list(now.deployments.schedules) == ["nightly"]
    (entry,) = house.ledger.entries(DECLARED)
    assert entry.subject == sha256_bytes(FILE.encode()) == now.sha256


@pytest.mark.attack(rights="database", stopped="what is in force is what somebody of people.yaml has signed")
def test_a_file_that_nobody_signed_starts_nothing(house: House) -> None:
    declare(house)
    other = FILE.replace("0 3", "* *")
    write(house, other, key="owner")
    house.ledger.append(DECLARED, sha256_bytes(other.encode()), {"envelope": {}})
    write(house, other, environment="production")
    write(house, other, text=FILE + "# more\n")
    write_switch(house, "pause", key="owner")
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    assert now.sha256 == sha256_bytes(FILE.encode()) and not now.pauses


@pytest.mark.attack(rights="database", stopped="a declaration counts once, after the file that it follows")
def test_an_old_file_that_is_appended_again_is_not_in_force(house: House) -> None:
    declare(house)
    declare(house, "schedules: {}\n", by="owner")
    old = house.ledger.entries(DECLARED)[0]
    house.ledger.append(DECLARED, old.subject, old.body)
    write(house, FILE + "# signed before the file in force, and kept\n", follows=old.subject)
    assert not deployments_in_force.read_deployments(house.ledger, house.governance).deployments.schedules
    declare(house)
    assert deployments_in_force.read_deployments(house.ledger, house.governance).sha256 == old.subject


def test_what_followed_the_file_of_somebody_who_is_gone_counts(house: House) -> None:
    declare(house, by="owner")
    declare(house, "schedules: {}\n")
    reload(house, people=PEOPLE.replace("  - {id: owner, name: Data owner, roles: [data-owner]}\n", ""))
    assert deployments_in_force.read_deployments(house.ledger, house.governance).sha256 == sha256_bytes(
        b"schedules: {}\n"
    )


def test_a_schedule_counts_from_when_it_was_declared(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(NOON, monkeypatch)
    declare(house)
    clock(NOON + timedelta(hours=1), monkeypatch)
    assert found(house) == [], "this night's time was before it"
    clock(NOON + timedelta(hours=15), monkeypatch)
    assert found(house) == ["nightly/2026-03-21T02:00:00Z"]


def test_a_changed_time_zone_asks_for_nothing_that_is_past(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(NOON - timedelta(days=3), monkeypatch)
    declare(house)
    clock(NOON, monkeypatch)
    assert found(house) == ["nightly/2026-03-20T02:00:00Z"], "it is made up for"
    declare(house, FILE.replace("Europe/Berlin", "America/New_York"))
    assert found(house) == [], "three o'clock in New York was before the change"
    clock(NOON + timedelta(hours=20), monkeypatch)
    assert found(house) == ["nightly/2026-03-21T07:00:00Z"]


def test_what_does_not_change_when_it_is_due_forgets_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(NOON - timedelta(days=3), monkeypatch)
    declare(house)
    clock(NOON, monkeypatch)
    declare(house, FILE + "  weekly: {cron: 0 3 * * 1, missed: latest}\nconcurrency: 3\n")
    assert found(house) == ["nightly/2026-03-20T02:00:00Z"]


def test_what_rests_asks_for_nothing_and_makes_up_for_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(NOON, monkeypatch)
    declare(house)
    switch(house, "pause")
    with pytest.raises(Refused, match=r"nightly rests already: lead paused it \(the store moves\)"):
        switch(house, "pause")
    clock(NOON + timedelta(days=2), monkeypatch)
    assert found(house) == []
    switch(house, "resume")
    assert found(house) == [], "what came meanwhile is past"
    with pytest.raises(Refused, match="does not rest"):
        switch(house, "resume")
    clock(NOON + timedelta(days=3), monkeypatch)
    assert found(house) == ["nightly/2026-03-23T02:00:00Z"]
    with pytest.raises(InputError, match="there is no schedule or trigger 'nix': nightly"):
        switch(house, "pause", "nix")
    with pytest.raises(InputError, match="say in words why"):
        switch(house, "pause", reason="\u2800")


@pytest.mark.attack(rights="database", stopped="a pause or its end counts once, after the one that it follows")
def test_an_old_switch_that_is_appended_again_changes_nothing(house: House) -> None:
    declare(house)
    switch(house, "pause")
    old = switch(house, "resume")
    switch(house, "pause")
    house.ledger.append(RESUMED, "nightly", {"envelope": old.body["envelope"]})
    assert resting(house) == {"nightly"}
    switch(house, "resume")
    assert not resting(house)


@pytest.mark.attack(rights="visitor", stopped="what was signed once is recorded once")
def test_a_signed_pause_is_not_recorded_again(house: House) -> None:
    """By who kept it, after somebody else let the schedule go on."""
    declare(house)
    person, drafts = control.draft_pause_or_resume(house.ledger, house.governance, "pause", "nightly", "lead", "r")
    (draft,) = signed_entry.prepare_statements(house.ledger, drafts)
    kept = dsse.sign_statement(draft.statement, house.key("lead"))
    assert signed_entry.record_signed_statements(house.ledger, house.governance, person, drafts, [kept]).kind == PAUSED
    switch(house, "resume", reason="needed tonight")
    with pytest.raises(Refused, match="has changed while it was being signed"):
        signed_entry.record_signed_statements(house.ledger, house.governance, person, drafts, [kept])


def test_a_switch_counts_only_if_it_is_signed_for_the_schedule_that_it_names(house: House) -> None:
    declare(house)
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    said = ScheduleSwitch(
        deed="pause", name="nightly", person="lead", reason="r", follows=now.predecessor_digest("nightly"),
        environment="local", time=house.ledger.now(),
    )  # fmt: skip
    other = dsse.make_statement(SWITCH.uri, {"data": sha256_bytes(b"data")}, said.json_value)
    house.ledger.append(PAUSED, "nightly", {"envelope": dsse.sign_statement(other, house.key("lead"))})
    assert not resting(house)
    house.ledger.append(PAUSED, "nightly", {"envelope": dsse.sign_statement(SWITCH.statement(said), house.key("lead"))})
    assert resting(house) == {"nightly"}


def test_switches_of_a_version_that_did_not_say_what_they_follow_count(house: House) -> None:
    declare(house)
    deeds: list[SwitchAction] = ["pause", "resume", "pause"]
    for deed in deeds:
        write_switch(house, deed)
    assert resting(house) == {"nightly"}


def test_a_name_that_went_and_came_back_still_rests(house: House) -> None:
    declare(house)
    switch(house, "pause")
    declare(house, "schedules: {}\n")
    declare(house)
    assert resting(house) == {"nightly"}


def test_a_file_of_another_version_is_told_and_starts_nothing(house: House) -> None:
    declare(house)
    write(house, "schedules: {}\nfrom_a_later_version: 1\n")
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    assert not now.deployments.schedules and "from_a_later_version: unknown key" in now.error_text


def test_differences_name_what_is_new_gone_and_otherwise() -> None:
    before = deployments_in_force.parse_deployments(FILE + "  old: {every: 6h}\n")
    after = deployments_in_force.parse_deployments(
        FILE.replace("0 3", "0 4") + "triggers:\n  data: {on: source_changed}\ntimeouts: {train: 12h}\n"
    )
    assert control.describe_differences(before, after) == [
        "trigger data is new: source_changed",
        "schedule old is gone",
        "schedules.nightly.cron: 0 3 * * * becomes 0 4 * * *",
        "timeouts.train: nothing becomes 12h",
    ]
    assert control.describe_differences(after, after) == []


def test_a_schedule_is_declared_by_who_made_it_what_it_is(house: House) -> None:
    """Who puts the file in force anew, and changes another schedule, declares that one alone."""
    nightly = "schedules:\n  nightly: {cron: '0 3 * * *'}\n"
    files = [nightly, f"{nightly}  weekly: {{cron: '0 3 * * 1'}}\n", nightly.replace("'0 3 * * *'", "'0 4 * * *'")]
    found = []
    for text, person in zip(files, ("owner", "lead", "both"), strict=True):
        control.declare_deployments(house.ledger, house.governance, person, text)
        found.append(dict(deployments_in_force.read_deployments(house.ledger, house.governance).declared_by))
    assert found == [{"nightly": "owner"}, {"nightly": "owner", "weekly": "lead"}, {"nightly": "both"}]


def test_what_somebody_put_in_force_who_left_another_takes_over_as_it_is(house: House) -> None:
    declare(house, by="owner")
    owner = "{id: owner, name: Data owner, roles: [data-owner]}"
    assert owner in PEOPLE
    ended = owner.replace("[data-owner]", "[{role: data-owner, valid_before: 2026-01-01}]")
    reload(house, people=PEOPLE.replace(owner, ended))
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    assert now.without_declarer == ("nightly",)
    shown = overview.make_status("nightly", now, OccasionLog(), house.ledger.now())
    assert "asks for no run: owner, who declared it, holds no role" in shown.state and shown.next is None
    assert overview.next_due_times(now, house.ledger.now(), 3) == []
    declare(house, by="lead")
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    assert (now.declared_by, now.without_declarer) == ({"nightly": "lead"}, ())
    assert control.declare_deployments(house.ledger, house.governance, "lead", FILE) is None


def test_who_declared_something_else_before_somebody_left_takes_nothing_over(house: House) -> None:
    declare(house, by="owner")
    control.declare_deployments(house.ledger, house.governance, "lead", f"{FILE}  weekly: {{cron: '0 3 * * 1'}}\n")
    ended = f"{{id: owner, name: Data owner, roles: [{{role: data-owner, valid_before: {house.ledger.now()}}}]}}"
    reload(house, people=PEOPLE.replace("{id: owner, name: Data owner, roles: [data-owner]}", ended))
    now = deployments_in_force.read_deployments(house.ledger, house.governance)
    assert (now.declared_by, now.without_declarer) == ({"nightly": "owner", "weekly": "lead"}, ("nightly",))
