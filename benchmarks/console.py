"""Response time of each page of the console, with years of runs, releases and ledger entries.

    python benchmarks/console.py [--runs 10000] [--releases 1000] [--entries 1000000] [--views 20] [--out FILE]

The checkout has that many runs and promotions, and a ledger with that many entries. One reader requests each page
`--views` times. The table has the median and the 95th percentile, whose goal is 200 ms. The promotions are real and
signed, but all of them use the folder of one release.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GOAL_MS = 200
PASSWORD = "a password for the benchmark"
ORIGIN = "http://127.0.0.1:1"
SCHEDULES = 'schedules:\n  nightly: {cron: "30 2 * * *", timezone: Europe/Berlin}\n'


def make(place: Path, runs: int, releases: int, entries: int) -> Path:
    from benchmarks.ledger import fill
    from infra.console.accounts import Accounts
    from infra.console.database import open_database
    from tasks.runs.run import open_run
    from tasks.scheduling import control
    from tests import whole_run
    from tests.checkouts import Checkouts

    project = Checkouts(place / "checkouts").released(place / "project")
    promoted = open_run(project, whole_run.RUN)
    state = project / ".hallmark"
    journals(state, [promoted.id, *ids(runs)])
    promotions(promoted, releases)
    control.declare_deployments(promoted.ledger(), promoted.governance(), "ml-engineer", SCHEDULES)
    fill(state, entries, promoted.ledger().last_seq() + 1, kind="run.stage")
    Accounts(open_database(state)).set_password("data-owner", PASSWORD)
    return project


def ids(count: int) -> list[str]:
    """Return run ids, one for every two hours."""
    began = datetime(2024, 1, 1, tzinfo=UTC)
    return [f"{began + timedelta(hours=2 * number):%Y%m%d-%H%M%S}-{number:04x}" for number in range(count)]


def journals(state: Path, runs: list[str]) -> None:
    from tasks.core.graph import GATES
    from tasks.runs import journal
    from tasks.runs.journal import GateState, Journal, StageState

    stages = {name: StageState(state="done", seconds=10) for name in ("ingest", "clean", "split", "train", "evaluate")}
    gates = {gate: GateState(state="passed", decided_by=["data-owner"]) for gate in GATES}
    for run in runs:
        known = Journal(run=run, requested_by="ml-engineer", use_case="tiny", status="promoted", release="tiny-1")
        journal.write_journal(state, known.model_copy(update={"stages": stages, "gates": gates}))


def promotions(run: Any, count: int) -> None:
    """Promote the existing release again and again, with the next version each time."""
    from tasks.registry.release import promotions as made
    from tasks.trust import dsse

    ledger, governed = run.ledger(), run.governance()
    first = made.read_promotions(ledger, governed, "tiny").valid_statements[-1]
    last, promotion = first.sha256, first.promotion
    for number in range(2, count + 1):
        promotion = promotion.model_copy(
            update={
                "version": number,
                "sequence": number,
                "previous": last,
                "time": ledger.now(),
                "replaces": made.replaced_release(first),
            }
        )
        envelope = made.sign_promotion(promotion, promotion.payload_sha256, governed)
        last = dsse.envelope_digest(envelope)
        ledger.append(made.PROMOTION_KIND, "tiny", {"envelope": envelope})
        first = replace(first, promotion=promotion)


def measure(project: Path, views: int) -> list[dict[str, Any]]:
    from starlette.testclient import TestClient

    from infra.console.app import application
    from infra.console.pages import PAGES
    from infra.console.site import Site
    from tests.whole_run import RUN

    reader = TestClient(application(Site(project, ORIGIN)), base_url=ORIGIN, headers={"origin": ORIGIN})
    reader.post("/sign-in", data={"person": "data-owner", "password": PASSWORD})
    release = dict.fromkeys(("label", "before", "now"), "tiny-1")
    given = {"run": RUN, "first": RUN, "second": RUN, "gate": "data", "number": "500", "name": "nightly", **release}
    found = []
    for page in (page for page in PAGES if "{incident}" not in page.path):
        path = page.path.format(**given) + "?release=tiny-1" * (page.path == "/audit")
        taken = [request_milliseconds(reader, path) for _ in range(views)]
        at95 = sorted(taken)[max(0, round(0.95 * len(taken)) - 1)]
        found.append({"page": page.path, "median_ms": statistics.median(taken), "p95_ms": at95, "met": at95 <= GOAL_MS})
        print(f"{page.path:<28}{found[-1]['median_ms']:9.0f}{at95:9.0f}  {'' if found[-1]['met'] else 'over'}")
    return found


def request_milliseconds(reader: Any, path: str) -> float:
    """Return the milliseconds that a request takes."""
    began = time.perf_counter()
    answer = reader.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return 1000 * (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--releases", type=int, default=1_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--views", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "console.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        project = make(Path(place), given.runs, given.releases, given.entries)
        print(f"{'page':<28}{'median':>9}{'95 %':>9}  ms; goal {GOAL_MS} at 95 %")
        pages = measure(project, given.views)
    met = sum(page["met"] for page in pages)
    print(f"{met} of {len(pages)} pages within {GOAL_MS} ms")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"runs": given.runs, "releases": given.releases, "entries": given.entries, "views": given.views}
    given.out.write_text(json.dumps({**sizes, "goal_ms": GOAL_MS, "pages": pages}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
