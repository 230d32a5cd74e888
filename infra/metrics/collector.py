"""Metrics of a checkout: runs, stages, gates, schedules, incidents, the ledger and its watch.

Each metric is read anew when Prometheus asks, except the journals of runs that have not changed. If the ledger cannot
be reached, `hallmark_ledger_up` is 0 and its metrics are absent.
"""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.prefect import watch_status
from tasks.core.errors import HallmarkError
from tasks.incidents import incidents
from tasks.ledger.head_files import parse_tree_size
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.teams import Team, find_team
from tasks.runs import journal, team_usage
from tasks.runs.checkout import Checkout
from tasks.runs.journal import Journal
from tasks.scheduling import deployments_in_force, due_times


class CheckoutCollector(Collector):
    def __init__(self, root: Path) -> None:
        self._root, self._state = root, root / ".hallmark"
        self._journals: dict[str, tuple[int, Journal]] = {}
        """Journal of each run, with the modification time of its file in nanoseconds."""
        self._teams: dict[str, Team] = {}
        """Teams of the policy that was read last, so that labels stay while the ledger cannot be reached."""

    def collect(self) -> Iterator[Metric]:
        with suppress(HallmarkError):
            self._teams = Checkout(self._root).governance.policy.teams
        yield from _run_metrics(self._read_journals(), self._teams)
        yield _gauge("disk_free_bytes", "Free space on the disk of the checkout.", shutil.disk_usage(self._root).free)
        here, found = Checkout(self._root), list[Metric]()
        with suppress(HallmarkError):
            ledger, governed = here.ledger, here.governance
            with ledger.reading():
                found = list(_ledger_metrics(self._state, ledger, governed))
            found.append(_watch_metric(self._root))
        yield _gauge("ledger_up", "Whether the ledger and the governance in force can be read.", bool(found))
        yield from found

    def _read_journals(self) -> list[Journal]:
        known = {}
        for run in journal.run_ids(self._state):
            with suppress(OSError):
                changed_at = journal.journal_path(self._state, run).lstat().st_mtime_ns
                cached = self._journals.get(run)
                read = cached[1] if cached and cached[0] == changed_at else journal.read_journal(self._state, run)
                if read:
                    known[run] = changed_at, read
        self._journals = known
        return [journal.with_current_status(self._state, each) for _, each in known.values()]


def _run_metrics(journals: Iterable[Journal], teams: dict[str, Team]) -> Iterator[Metric]:
    """Yield the metrics of runs. If there are teams, runs and costs have the label `team`, which is empty for none."""
    own = ("team",) if teams else ()

    def team_label(use_case: str) -> tuple[str, ...]:
        return (find_team(teams, use_case) or "",) if teams else ()

    counts, costs = Counter[tuple[str, str]](), defaultdict[str, float](float)
    seconds = defaultdict[tuple[str, str], float](float)
    for run in journals:
        counts[run.use_case, run.status] += 1
        costs[run.use_case] += run.cost or 0.0
        for stage, line in run.stages.items():
            seconds[run.use_case, stage] += line.seconds
    runs = GaugeMetricFamily("hallmark_runs", "Number of runs on this machine.", labels=("use_case", "status", *own))
    for (use_case, status), count in sorted(counts.items()):
        runs.add_metric((use_case, status, *team_label(use_case)), count)
    yield runs
    stages = CounterMetricFamily(
        "hallmark_stage_seconds", "Duration of stages in seconds, over all runs on this machine.",
        labels=("use_case", "stage"),
    )  # fmt: skip
    for key, duration in sorted(seconds.items()):
        stages.add_metric(key, duration)
    yield stages
    cost = CounterMetricFamily(
        "hallmark_cost_usd", "Cost of stages in USD, at the hourly prices in the parameters.",
        labels=("use_case", *own),
    )  # fmt: skip
    for use_case, usd in sorted(costs.items()):
        cost.add_metric((use_case, *team_label(use_case)), usd)
    yield cost


def _ledger_metrics(state: Path, ledger: Ledger, governed: Governance) -> Iterator[Metric]:
    yield from _gate_metrics(ledger)
    yield from _schedule_metrics(ledger, governed)
    yield from _team_metrics(ledger, governed)
    counts = Counter((each.severity, each.state) for each in incidents.read_all(ledger, governed))
    opened = GaugeMetricFamily("hallmark_incidents", "Number of incidents.", labels=("severity", "state"))
    for key, count in sorted(counts.items()):
        opened.add_metric(key, count)
    yield opened
    last, heads = ledger.last_seq(), [path for path in (state / "heads").glob("*.json") if parse_tree_size(path.name)]
    yield _gauge("ledger_entries", "Number of entries in the ledger.", last)
    newest = max(heads, key=lambda path: parse_tree_size(path.name) or 0, default=None)
    signed = (parse_tree_size(newest.name) or 0) if newest else 0
    yield _gauge("ledger_unsigned_entries", "Number of entries after the newest head of this machine.", last - signed)
    if newest:
        age = ledger.now().timestamp() - newest.stat().st_mtime
        yield _gauge("ledger_head_age_seconds", "Age of the newest head of this machine, in seconds.", age)


def _gate_metrics(ledger: Ledger) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "hallmark_gates_waiting", "Number of gates that wait for people.", labels=("use_case", "gate")
    )
    oldest = GaugeMetricFamily(
        "hallmark_gate_oldest_wait_seconds", "Time in seconds for which the oldest of these gates waits.",
        labels=("use_case", "gate"),
    )  # fmt: skip
    since = defaultdict[tuple[str, str], list[float]](list)
    for entry in ledger.open_questions():
        key = str(entry.body.get("use_case", "")), str(entry.body.get("gate", ""))
        since[key].append((ledger.now() - entry.time).total_seconds())
    for key, waits in sorted(since.items()):
        waiting.add_metric(key, len(waits))
        oldest.add_metric(key, max(waits))
    yield from (waiting, oldest)


def _schedule_metrics(ledger: Ledger, governed: Governance) -> Iterator[Metric]:
    now = deployments_in_force.read_deployments(ledger, governed)
    due = GaugeMetricFamily(
        "hallmark_schedule_next_due_timestamp_seconds", "Next time of a schedule, in seconds since 1970.",
        labels=("schedule",),
    )  # fmt: skip
    for name, moment in due_times.first_due_times(now, ledger.now()).items():
        due.add_metric((name,), moment.timestamp())
    paused = GaugeMetricFamily("hallmark_schedule_paused", "1 for a paused schedule or trigger.", labels=("schedule",))
    for name in sorted(now.deployments.named):
        paused.add_metric((name,), name in now.pauses)
    yield from (due, paused)


def _team_metrics(ledger: Ledger, governed: Governance) -> Iterator[Metric]:
    """Yield usage and quota of each team over all machines that share the ledger. Nothing is yielded without teams."""
    teams = governed.policy.teams
    if not teams:
        return
    opened, cost, most, budget = (
        GaugeMetricFamily(f"hallmark_team_{name}", meaning, labels=("team",))
        for name, meaning in (
            ("open_runs", "Number of runs that are queued or executing, on all machines."),
            ("cost_30_days_usd", "Cost of stages of the last 30 days in USD, on all machines."),
            ("quota_open_runs", "Maximum number of such runs by the team's quota."),
            ("quota_cost_30_days_usd", "Cost in USD from which on the team's quota lets no run begin."),
        )
    )
    for name, used in team_usage.read_usage(ledger, governed.policy).items():
        opened.add_metric((name,), len(used.open_runs))
        cost.add_metric((name,), used.cost)
        quota = teams[name].quota
        for family, value in ((most, quota.runs_at_once), (budget, quota.cost_in_30_days)):
            if value is not None:
                family.add_metric((name,), value)
    yield from (opened, cost, most, budget)


def _watch_metric(root: Path) -> Metric:
    missing = watch_status.read_watch_status(root).is_missing
    return _gauge("watch_up", "Whether a machine watches the ledger.", not missing)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hallmark_{name}", meaning, value=float(value))
