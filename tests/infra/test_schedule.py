"""`hallmark deploy`, `schedule` and `trigger` on the command line; runs that they ask for: tests/flows."""

from pathlib import Path

import pytest

from infra.cli import occasion_context
from infra.doctor import diagnostics
from tasks.core.documents.config import load_settings
from tasks.gates import signed_request
from tasks.ledger.ledger import open_ledger
from tasks.runs.run import installed_governance
from tasks.scheduling.deployments_file import DEFAULT_PATH, Deployments
from tasks.scheduling.occasion_log import PASSED_OVER, STARTED, TAKEN
from tests.editing import changed, moved
from tests.in_process import hallmark, hallmark_json
from tests.loaded_modules import ROOT

FILE = """\
schedules:
  nightly:
    cron: "0 3 * * *"
    timezone: Europe/Berlin
    changes: {training.epochs: 2}
triggers:
  upstream: {on: event, cool_down: 1h}
  data: {on: source_changed}
"""
AS = ("--as", "ml-engineer")


@pytest.fixture(scope="module")
def project(project: Path) -> Path:
    (project / "own.yaml").write_text(FILE)
    assert hallmark_json(project, "deploy", "own.yaml", *AS, "--no-start")["ledger_entry"]
    return project


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs that Prefect is asked for, which these tests do not start."""
    runs: list[str] = []

    def begin(at: occasion_context.OccasionContext, taken: object, as_json: bool) -> str:
        runs.append(taken.run)
        return "flow-run"

    monkeypatch.setattr(occasion_context, "start_flow_run", begin)
    return runs


def test_the_file_that_comes_with_hallmark_is_right_and_starts_nothing() -> None:
    shipped = load_settings(ROOT / DEFAULT_PATH, Deployments)
    assert not shipped.named and shipped.concurrency and shipped.retries.away and shipped.retries.died


def test_what_stands_in_its_comments_is_right_too(project: Path) -> None:
    """With the `#` taken away from every example."""
    text = (ROOT / DEFAULT_PATH).read_text().replace("{}\n#", "\n#").replace("\n#  ", "\n  ")
    text = text.replace("[tickets]", "[messages]")
    (project / "shown.yaml").write_text(text)
    shown = load_settings(project / "shown.yaml", Deployments)
    assert set(shown.schedules) == {"nightly"} and len(shown.triggers) == 8 and shown.timeouts
    told = hallmark(project, "deploy", "shown.yaml", *AS, "--no-start", "--yes")
    assert "trigger waivers is new: waiver_expiring" in told and "in force, signed by ml-engineer" in told
    hallmark(project, "deploy", "own.yaml", *AS, "--no-start")


def test_a_file_is_put_in_force_once(project: Path) -> None:
    before = len(open_ledger(project / ".hallmark").entries("deployment.declared"))
    told = hallmark(project, "deploy", "own.yaml", *AS, "--no-start")
    assert "nothing changes" in told and "it is in force already" in told
    assert len(open_ledger(project / ".hallmark").entries("deployment.declared")) == before


WRONG = """\
schedules:
  nightly: {cron: "0 3 30 2 *", timezone: Europe/Berln}
  weekly: {every: sometimes, colour: red}
triggers: {x: {on: nothing}}
"""
HERE = """\
schedules:
  uncommitted: {every: 6h, params: new.yaml}
  unknown: {every: 6h, changes: {training.nix: 3}}
triggers: {data: {on: source_changed, sources: [nix]}}
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WRONG, [
            "wrong.yaml:2: schedules.nightly.cron: '0 3 30 2 *' never comes",
            "wrong.yaml:2: schedules.nightly.timezone: there is no time zone 'Europe/Berln'",
            "is it Europe/Berlin or",
            "wrong.yaml:3: schedules.weekly.every: expected a number and a unit",
            "wrong.yaml:3: schedules.weekly.colour: unknown key",
            "wrong.yaml:4: triggers.x: Input tag 'nothing'",
        ]),
        (HERE, [
            "wrong.yaml:2: schedules.uncommitted.params: new.yaml is not committed",
            "wrong.yaml:3: schedules.unknown.changes: --set training.nix=3: unknown key",
            "wrong.yaml:4: triggers.data.sources: sources.yaml has no source nix; it has messages",
        ]),
        ("schedules: {a: {every: 1h}}\ntriggers: {a: {on: event}}\n", ["a: the name of a schedule and of a trigger"]),
        ("schedules: {a: {cron: '0 3 * * *', every: 1h}}\n", ["expected either `cron` or `every`"]),
        ("schedules: {a: {every: 1h, params: ../../etc/passwd}}\n", ["../../etc/passwd is not committed"]),
        ("- a list\n", ["expected a mapping of keys to values"]),
    ],
)  # fmt: skip
def test_every_mistake_of_a_file_is_told_with_its_line(project: Path, text: str, told: list[str]) -> None:
    (project / "wrong.yaml").write_text(text)
    (project / "new.yaml").write_text((project / "params.yaml").read_text())
    entries = open_ledger(project / ".hallmark").count_entries()
    said = hallmark(project, "deploy", "wrong.yaml", *AS, "--no-start", code=2)
    assert [line for line in told if line not in said] == [], said
    assert open_ledger(project / ".hallmark").count_entries() == entries


def test_a_tier_that_takes_no_scheduler_takes_no_schedule(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tasks.gates.rules.run_request.refusal_reason", lambda *_: "policy does not let the scheduler ask"
    )
    (project / "wrong.yaml").write_text(FILE)
    said = hallmark(project, "deploy", "wrong.yaml", *AS, "--no-start", code=2)
    assert "schedules.nightly.params: params.yaml is of risk tier limited: policy does not let" in said
    assert "upstream" not in said, "a person asks there"


def test_schedules_are_listed_with_their_next_time_and_rest(project: Path) -> None:
    rows = {row["name"]: row for row in hallmark_json(project, "schedule", "list")}
    assert rows["nightly"]["next_local"].endswith("03:00 Europe/Berlin") and rows["data"]["next"] is None
    assert len(hallmark_json(project, "schedule", "next", "--count", "3")) == 3
    why = ("--reason", "the store moves")
    assert "nightly rests: entry" in hallmark(project, "schedule", "pause", "nightly", *AS, *why)
    assert "paused by ml-engineer: the store moves" in hallmark(project, "schedule", "list")
    assert hallmark_json(project, "schedule", "next") == []
    assert "nightly rests already" in hallmark(project, "schedule", "pause", "nightly", *AS, *why, code=1)
    assert "nightly rests: ml-engineer paused it" in hallmark(project, "deploy", "own.yaml", *AS, "--no-start")
    assert hallmark_json(project, "schedule", "resume", "nightly", *AS, *why)["state"] == "resumed"
    for args in (("pause", "nix", *why), ("resume", "nix", *why), ("run", "nix")):
        assert "there is no schedule or trigger 'nix'" in hallmark(project, "schedule", *args, *AS, code=2)


def test_who_asks_for_the_run_of_a_schedule_now_signs_for_it(project: Path, handed: list[str]) -> None:
    for _ in range(2):
        said = hallmark_json(project, "schedule", "run", "nightly", *AS, "--reason", "new tickets")
    ledger = open_ledger(project / ".hallmark")
    (entry,) = ledger.entries(TAKEN, said["key"])
    asked = signed_request.REQUEST_KIND.unverified_document(entry.body["envelope"])
    assert (asked.requested_by, asked.reason) == ("ml-engineer", "nightly, asked for now: new tickets")
    assert asked.changes == {"training.epochs": "2"} and handed[-1] == said["run"] and len(set(handed)) == 2
    assert hallmark_json(project, "schedule", "list")[0]["last_run"] == said["run"]
    said = hallmark_json(project, "schedule", "run", "nightly", "--as", "scheduler")
    (entry,) = ledger.entries(TAKEN, said["key"])
    assert signed_request.verify_request(
        entry.body["envelope"], installed_governance(project, None)
    ).request.requested_by == ("scheduler"), "a machine that has its key"
    assert not ledger.entries(STARTED)
    assert "data-owner" in hallmark(project, "schedule", "run", "nightly", "--as", "nobody", code=2)


def test_an_event_makes_one_run_for_each_key(project: Path, handed: list[str]) -> None:
    event = ("trigger", "upstream", "--reason", "the export is there", *AS, "--key")
    first = hallmark_json(project, *event, "export-1")
    again = hallmark_json(project, *event, "export-1")
    assert (again["run"], again["known"]) == (first["run"], True) and handed == [first["run"]]
    assert f"is on record already: run {first['run']}" in hallmark(project, *event, "export-1")
    told = hallmark(project, *event, "export-2")
    assert "upstream/event/export-2 is passed over: 1h have not passed since the run of" in told
    assert "on record already: no run, it was passed over" in hallmark(project, *event, "export-2")
    assert handed == [first["run"]]
    ledger = open_ledger(project / ".hallmark")
    stranger = hallmark(project, "trigger", "upstream", "--reason", "x", "--as", "mallory", "--key", "export-3", code=2)
    assert "'mallory' is nobody in people.yaml" in stranger
    (entry,) = [entry for entry in ledger.entries(PASSED_OVER) if entry.body["name"] == "upstream"]
    signed = signed_request.verify_request(entry.body["envelope"], installed_governance(project, None), entry.time)
    assert entry.subject == "upstream/event/export-2", "an event that nobody signs takes no key"
    assert entry.body["requested_by"] == signed.request.requested_by == "ml-engineer"


def test_the_doctor_says_what_keeps_schedules_from_asking(project: Path) -> None:
    def lines() -> str:
        found = diagnostics.run_diagnostics(project, {"schedules": diagnostics.DIAGNOSTICS["schedules"]})
        return " ".join(f"{line.says} {line.do}" for line in found)

    assert "3 in force" in lines()
    waiting = [run for run in lines().split() if run.startswith("20")]
    assert len(waiting) == len(open_ledger(project / ".hallmark").entries(TAKEN)), "no server was started here"
    key = project / ".hallmark" / "keys" / "scheduler"
    with moved(key, project / "elsewhere"):
        assert "the private key of scheduler is wanted" in lines()


def test_what_is_not_committed_waits_and_a_run_is_judged_by_what_is(project: Path, handed: list[str]) -> None:
    says = "has edits that are not committed: runs read the committed file, and no trigger answers to the edits"
    source = project / "examples" / "messages.csv"
    assert says not in hallmark(project, "schedule", "list")
    with changed(source, lambda _: b"no,such\ncolumns,here\n"), changed(project / "params.yaml", lambda _: b"nonsense"):
        told = hallmark(project, "schedule", "list")
        assert f"params.yaml {says}" in told and f"source messages (examples/messages.csv) {says}" in told
        assert all(len(row["uncommitted"]) == 2 for row in hallmark_json(project, "schedule", "list"))
        found = [
            line.says
            for line in diagnostics.run_diagnostics(project, {"schedules": diagnostics.DIAGNOSTICS["schedules"]})
        ]
        assert f"params.yaml {says}" in found
        assert hallmark_json(project, "schedule", "run", "nightly", *AS)["run"] == handed[-1]


def test_an_event_that_cannot_be_is_refused(project: Path) -> None:
    say = ("--reason", "r", *AS)
    for name, more, code, told in (
        ("nix", say, 2, "there is no schedule or trigger 'nix'"),
        ("data", say, 2, "data is no trigger with `on: event`"),
        ("upstream", (*say, "--key", "a b"), 2, "expected at most 100 letters"),
        ("upstream", (*say, "--key", "x" * 101), 2, "expected at most 100 letters"),
        ("upstream", ("--reason", "  ", *AS), 2, "say in words what happened"),
        ("upstream", ("--reason", "x" * 2001, *AS), 2, "the reason has 2,001 characters; say it in 2,000"),
        ("upstream", ("--reason", "fine\x1b[2J", *AS), 2, "the reason: it holds the character"),
    ):
        assert told in hallmark(project, "trigger", name, *more, code=code)
    hallmark(project, "schedule", "pause", "upstream", "--reason", "moving", *AS)
    assert "upstream rests: ml-engineer paused it" in hallmark(project, "trigger", "upstream", *say, code=1)
    hallmark(project, "schedule", "resume", "upstream", "--reason", "moved", *AS)
