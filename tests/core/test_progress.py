"""How far a stage is: told while it works, never as if all were done, and by one module alone."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.core import progress
from tasks.core.graph import STAGES
from tasks.core.progress import ProgressReporter

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0)


def test_work_goes_on_where_nobody_listens_any_more() -> None:
    program = """
import sys
from tasks.core.progress import print_progress
for _ in range(3):
    print_progress("train", "x")
sys.stderr.write("done")
"""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, **pipes) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b"done"
        assert process.wait(60) == 0


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_line_says_how_far_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    work = ProgressReporter("predict@base", 120, work_after=17, later_work="17 requests one at a time")
    work.began -= 10
    work.report(40)
    assert lines(capsys) == ["progress predict@base 40/137 4.0 rows/s eta 20 s, then 17 requests one at a time"]
    ingest = ProgressReporter("ingest", 100_000)
    ingest.began -= 1
    ingest.report(20_000, "tickets")
    (line,) = lines(capsys)
    assert re.fullmatch(r"progress ingest 20000/100000 tickets (19|20),\d{3} rows/s eta 4 s", line)


def test_no_line_says_that_all_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was estimated, and whatever part of the work a stretch is."""
    first, last = ProgressReporter("s", 3, work_after=2), ProgressReporter("s", 2, "requests", work_before=3)
    for done in range(4):
        first.report(done)
    for done in range(3):
        last.report(done)
    for done in range(6):
        ProgressReporter("s", 3).report(done)
    progress.print_progress_count("s", 5, 5, "")
    counts = [
        (int(count["done"]), int(count["total"]))
        for line in lines(capsys)
        if (reported := progress.parse_progress_line(line)) and (count := progress.COUNT_PATTERN.match(reported.text))
    ]
    assert counts and all(done < total for done, total in counts)
    assert [done for done, total in counts if total == 5] == [0, 1, 2, 3, 3, 4]


def test_more_than_was_estimated_is_counted_without_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    """As of a Parquet file, whose line ends say nothing."""
    work = ProgressReporter("ingest", 0)
    work.began -= 1
    work.report(5000, "chats")
    (line,) = lines(capsys)
    assert re.fullmatch(r"progress ingest 5,000 rows chats [\d,]+ rows/s", line)


def test_lines_come_every_few_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 60)
    work = ProgressReporter("clean", 10)
    for done in range(10):
        work.report(done)
    assert lines(capsys) == []
    work.last_shown = time.monotonic() - 61
    work.report(5)
    work.report(6)
    assert len(lines(capsys)) == 1


def test_only_one_module_prints_how_far_a_stage_is() -> None:
    """So that what holds of it holds of every stage."""
    printing = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tasks").rglob("*.py")
        if re.search(r"""["']progress [^"']""", path.read_text()) and path != Path(progress.__file__)
    ]
    assert printing == []


@pytest.mark.parametrize("module", sorted({stage.module_name for stage in STAGES.values()}))
def test_every_stage_says_what_it_does(module: str) -> None:
    """Words or counts; a stage that works in silence cannot be told from one that hangs."""
    text = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    followed = {"tasks.stages.evaluate.evaluate": "tasks/stages/evaluate/scoring.py"}
    text += (ROOT / followed[module]).read_text() if module in followed else ""
    assert re.search(r"^from tasks\.core\.progress import", text, re.M)


def test_a_count_becomes_a_share() -> None:
    assert progress.parse_progress_line("progress train 120/480 loss 0.412") == ("120/480 loss 0.412", 25.0)
    assert progress.parse_progress_line("progress base_model checking its digest") == ("checking its digest", None)
    assert progress.parse_progress_line("progress train") is None and progress.parse_progress_line("epoch 1/2") is None


@pytest.mark.attack(rights="stage", stopped="a figure of a progress line is of the size that figures have")
@pytest.mark.parametrize(
    "said", ["9" * 400 + "/1", "1/" + "9" * 400, "9" * 5_000 + "/" + "9" * 5_000, "1/0", "7/3", "0/0", "x" * 10**6]
)
def test_an_odd_count_is_bounded(said: str) -> None:
    reported = progress.parse_progress_line(f"progress train {said} rows")
    assert reported and len(reported.text) <= progress.MAX_TEXT_CHARS
    assert not re.search(r"\d{16}", reported.text)
    assert reported.percent is None or 0 <= reported.percent <= 100
