"""Metrics of a checkout: the numbers are right, the address asks for a token, and Prometheus takes all of it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.metrics.collector import CheckoutCollector
from infra.metrics.exposition import MetricsPage, metrics_token
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.journal import Journal, StageState
from tests.checkouts import Checkouts
from tests.console.conftest import quick_passwords, serving
from tests.console.servers import free_port
from tests.in_process import hallmark
from tests.infra.test_gates import ask, bring_keys
from tests.patience import wait_until

__all__ = ["quick_passwords"]
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "metrics"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A checkout with a gate that waits, a schedule, and three runs."""
    folder = checkouts.ready(tmp_path_factory.mktemp("metrics") / "project")
    bring_keys(folder)
    ask(folder)
    hallmark(folder, "ledger", "publish")
    for run, status, price in (("one", "promoted", 1.0), ("two", "failed", 2.0), ("three", "failed", None)):
        stages = {"ingest": StageState(state="done", seconds=1800.0), "train": StageState(state="done", seconds=3600.0)}
        known = Journal(
            run=run, requested_by="x", use_case="tiny", status=status, stages=stages, price_per_hour=price
        )  # fmt: skip
        journal.write_journal(folder / ".hallmark", known)
    return folder


def values(text: str) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels, in the order of their names."""
    families = text_string_to_metric_families(text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_what_is_counted(project: Path) -> None:
    found = values(hallmark(project, "metrics"))
    assert (found["hallmark_runs", "promoted", "tiny"], found["hallmark_runs", "failed", "tiny"]) == (1, 2)
    assert found["hallmark_stage_seconds_total", "train", "tiny"] == 3 * 3600
    assert found["hallmark_cost_usd_total", "tiny"] == pytest.approx(1.5 * 1 + 1.5 * 2)
    assert found["hallmark_gates_waiting", "release", "tiny"] == 1
    assert 0 < found["hallmark_gate_oldest_wait_seconds", "release", "tiny"] < 600
    entries = open_ledger(project / ".hallmark").last_seq()
    assert found[("hallmark_ledger_entries",)] == entries and found[("hallmark_ledger_unsigned_entries",)] == 0
    assert found[("hallmark_ledger_up",)] == 1 and found[("hallmark_watch_up",)] == 0
    assert found[("hallmark_disk_free_bytes",)] > 0


def test_without_a_ledger_that_is_told_and_the_rest_is_there(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", "postgresql://u:p@127.0.0.1:9/d")
    found = values(MetricsPage(project).text().decode())
    assert found[("hallmark_ledger_up",)] == 0 and found["hallmark_runs", "promoted", "tiny"] == 1
    assert ("hallmark_ledger_entries",) not in found


def test_a_journal_that_did_not_change_is_not_read_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collector, read = CheckoutCollector(project), []
    monkeypatch.setattr(journal, "read_journal", lambda state, run: read.append(run))
    list(collector.collect())
    assert set(read) == {"one", "two", "three"}
    monkeypatch.undo()
    list(collector.collect())
    monkeypatch.setattr(journal, "read_journal", lambda state, run: read.append("again"))
    list(collector.collect())
    assert "again" not in read


@pytest.fixture(scope="module")
def console(project: Path) -> Iterator[str]:
    with serving(project) as origin:
        yield origin


@pytest.mark.attack(rights="visitor", stopped="the metrics are for who has their token")
@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer x", "Basic {}", "{}", "Bearer {}x", "Bearer ü"])
def test_who_has_no_token_gets_no_metrics(project: Path, console: str, given: str | None) -> None:
    token = metrics_token(project / ".hallmark").decode()
    headers = {} if given is None else {"authorization": given.format(token).encode()}
    answer = httpx.get(f"{console}/metrics", headers=headers)
    assert answer.status_code == 401 and "hallmark_" not in answer.text


def test_the_token_is_for_its_owner_alone_and_stays(project: Path, console: str) -> None:
    token = metrics_token(project / ".hallmark")
    assert (project / ".hallmark" / "console" / "metrics-token").stat().st_mode & 0o077 == 0
    answer = httpx.get(f"{console}/metrics", headers={"authorization": f"Bearer {token.decode()}"})
    assert answer.status_code == 200 and "hallmark_runs" in answer.text
    assert metrics_token(project / ".hallmark") == token


WITHOUT = [
    "hallmark_schedule_next_due_timestamp_seconds - time()",
    'sum by (severity) (hallmark_incidents{state!="closed"})',
]
"""Queries without a result here: the project has no schedule, and no incident."""


def queries() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("prometheus"), reason="no Prometheus here (apt-get install prometheus)")
def test_prometheus_scrapes_it_and_answers_every_query_of_the_dashboard(
    project: Path, console: str, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{FOLDER}/alerts.yaml]\n"
        "scrape_configs:\n  - job_name: hallmark\n"
        f"    authorization: {{credentials_file: {project}/.hallmark/console/metrics-token}}\n"
        f"    static_configs: [{{targets: ['{console.removeprefix('http://')}']}}]\n"
    )
    command = ["prometheus", f"--web.listen-address=127.0.0.1:{port}", f"--config.file={tmp_path}/prometheus.yml",
               f"--storage.tsdb.path={tmp_path}/data"]  # fmt: skip
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        try:
            api = f"http://127.0.0.1:{port}/api/v1"

            def asked(query: str) -> list[object]:
                try:
                    given = httpx.get(f"{api}/query", params={"query": query})
                except httpx.TransportError:
                    return []
                if given.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # it starts
                    return []
                answer = given.json()
                assert answer["status"] == "success", (query, answer)
                return list(answer["data"]["result"])

            wait_until(lambda: len(asked("count_over_time(hallmark_runs[1m]) > 2")) > 0, "three scrapes",
                       saw=(tmp_path / "log").read_text, process=process)  # fmt: skip
            assert [query for query in queries() if not asked(query)] == WITHOUT
            wait_until(lambda: asked('ALERTS{alertname="HallmarkWatchMissing"}'), "the rule to see that no watch is up")
        finally:
            process.terminate()
