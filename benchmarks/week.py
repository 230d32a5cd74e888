"""Transcript of a week in ten minutes: schedules, triggers, decisions and a rollback.

    python benchmarks/week.py [--day 150] [--out FILE]

A day of the schedule takes `--day` seconds; a day's commands may take longer. The commands, the Prefect server, the
watch and the runs are real. The model has 330,000 parameters and is trained on 60 rows.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FILE = """\
schedules:
  nightly: {{every: {day}s, anchor: "{anchor}", missed: latest}}
triggers:
  new-data: {{on: source_changed, beyond: 0.05, look: 1m}}
  upstream: {{on: event}}
"""
DECIDERS = {"data": "data-owner", "evaluation": "product-owner", "release": "risk-officer"}


class Week:
    def __init__(self, project: Path, day: float) -> None:
        self.project, self.day, self.began = project, day, time.monotonic()
        self.lines: list[str] = []

    def days_passed(self) -> float:
        """Return the days since Monday, 3 o'clock."""
        return (time.monotonic() - self.began) / self.day

    def say(self, text: str) -> None:
        print(text, flush=True)
        self.lines.append(text)

    def heading(self, day: str, text: str) -> None:
        self.say(f"\n# {day}: {text}")

    def run_command(self, *args: str, most: int = 14) -> None:
        from tests.tiny_project import hallmark

        said = " ".join(f'"{each}"' if " " in each else each for each in args)
        told = hallmark(self.project, *args)
        self.say(f"$ hallmark {said}")
        for line in told.strip().splitlines()[-most:]:
            self.say(line.rstrip().replace(str(self.project), "~/tiny"))

    def run_json(self, *args: str) -> Any:
        from tests.tiny_project import hallmark_json

        return hallmark_json(self.project, *args)

    def until(self, done: Callable[[], Any], seconds: float = 600) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := done()):
            if time.monotonic() > deadline:
                raise TimeoutError(self.run_json("status"))
            time.sleep(1)
        return found

    def sleep_until(self, day: float) -> None:
        time.sleep(max(0.0, (day - self.days_passed()) * self.day))

    def runs(self) -> list[str]:
        """Return the ids of all runs, oldest first."""
        return [line["run"] for line in self.run_json("status")]

    def new_run(self, before: list[str], why: str) -> str:
        """Wait for the first new run that a schedule or trigger requested, and return its id."""

        def found() -> list[str]:
            return [
                run for run in self.runs() if run not in before and why in self.run_json("runs", "show", run)["reason"]
            ]

        runs: list[str] = self.until(found)
        return runs[0]

    def wait_until_done(self, run: str) -> Any:
        """Wait until a run waits or has ended. Return its status."""
        return self.until(lambda: (said := self.run_json("runs", "show", run))["status"] != "running" and said)

    def approve(self, run: str) -> None:
        for gate, person in DECIDERS.items():
            self.until(
                lambda gate=gate: self.run_json("runs", "show", run)["gates"].get(gate, {}).get("state") == "waiting"
            )
            self.run_command(
                "gates", "approve", run, gate, "--as", person, "--reason", "I looked at the evidence", most=2
            )
        self.until(lambda: self.run_json("runs", "show", run)["status"] == "promoted")
        self.run_command("status")


def play(week: Week) -> None:
    from tests.tiny_project import commit

    project = week.project
    week.heading("Monday", "the platform engineer declares when runs are asked for")
    anchor = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 15))
    (project / "week.yaml").write_text(FILE.format(day=round(week.day), anchor=anchor))
    commit(project, "When runs are asked for")
    week.run_command("deploy", "week.yaml", "--as", "ml-engineer", "--yes", most=9)
    first = week.new_run([], "nightly")
    week.heading("Monday night", "the night's run waits for its data owner")
    week.wait_until_done(first)
    week.run_command("gates", "list")
    week.approve(first)

    known = week.runs()
    week.sleep_until(1)
    second = week.new_run(known, "nightly")
    week.heading("Tuesday night", "nothing has changed since yesterday, and the run says so before it trains")
    week.wait_until_done(second)
    week.run_command("status")

    week.heading("Wednesday", "the source has grown, and a run is asked for")
    known = week.runs()
    source = project / "examples" / "messages.csv"
    rows = source.read_text().splitlines()
    source.write_text("\n".join([*rows, *(row.replace("since", "since last", 1) for row in rows[1:13])]) + "\n")
    commit(project, "Twelve more messages")
    third = week.new_run(known, "new-data")
    week.wait_until_done(third)
    week.approve(third)
    week.run_command("releases", "list")

    week.heading("Thursday", "a job says twenty times that its export is there: one run, which would change nothing")
    known = week.runs()
    for _ in range(19):
        week.run_json(
            "trigger", "upstream", "--as", "ml-engineer", "--key", "export-12", "--reason", "the export is there"
        )
    week.run_command(
        "trigger", "upstream", "--as", "ml-engineer", "--key", "export-12", "--reason", "the export is there"
    )
    asked = week.new_run(known, "upstream")
    stands = week.wait_until_done(asked)
    if stands["status"] == "waiting":
        week.run_command(
            "gates", "reject", asked, "data", "--as", "data-owner", "--reason", "half of the export is missing", most=2
        )
        week.until(lambda: week.run_json("runs", "show", asked)["status"] == "failed")
    week.run_command("status")

    week.heading("Friday", "answers went wrong: the release before is champion again")
    week.run_command(
        "releases", "rollback", "tiny-1", "--as", "risk-officer", "--reason", "tiny-2 sends loans to cards"
    )
    week.run_command("releases", "list")

    week.heading("Friday", "the schedule rests until that is understood")
    week.run_command("schedule", "pause", "nightly", "--as", "ml-engineer", "--reason", "until tiny-2 is understood")
    week.run_command("schedule", "list")

    week.heading("Sunday", "an auditor asks what was in production, and whether the record is whole")
    week.run_command("releases", "champion", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    week.run_command("ledger", "verify")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", type=float, default=150.0, help="seconds")
    parser.add_argument("--out", type=Path, help="Markdown or text; printed in any case")
    given = parser.parse_args()
    from tests.checkouts import Checkouts
    from tests.tiny_project import hallmark

    with tempfile.TemporaryDirectory() as made:
        project = Checkouts(Path(made) / "checkouts").ready(Path(made) / "project")
        week = Week(project, given.day)
        try:
            play(week)
        finally:
            hallmark(project, "down")
            if given.out:
                given.out.write_text("\n".join(week.lines).strip() + "\n")


if __name__ == "__main__":
    main()
