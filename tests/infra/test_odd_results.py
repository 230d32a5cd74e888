"""`hallmark runs show` shows what can be shown of a run, whatever its stages left, and names what cannot be read."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.cli import runs
from tasks.core import files
from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import Journal

RUN = "20260101-000000-abcd"
FACT = {"value": 0.5, "low": 0.4, "high": 0.6}
GOOD: dict[str, object] = {
    "artefacts/evaluate/metrics.json": {
        "metrics": [{"name": "exact_match", "unit": ""}],
        "overall": {"answered": {"candidate": 9}, "scores": {"candidate": {"exact_match": FACT}}},
    },
    "artefacts/evaluate/result.json": {"facts": {"exact_match": FACT}},
    "measured/predict/candidate/facts.json": {"facts": {"latency_p95_ms": {"value": 31.0}}},
}
SHOWN = {
    "artefacts/evaluate/metrics.json": "on the held-out rows",
    "measured/predict/candidate/facts.json": "measured.predict.latency_p95_ms",
}
"""Text that `hallmark runs show` shows of a file and of no other."""


def _link(path: Path) -> None:
    aside = path.with_name("aside.json")
    aside.write_text('{"facts": {}}')
    path.symlink_to(aside)


ODD: dict[str, str | bytes | Callable[[Path], object]] = {
    "nothing": "",
    "no JSON": "{",
    "no UTF-8": b"\xff\xfe{}",
    "null": "null",
    "a list": "[]",
    "a number": "1e999",
    "another mapping": '{"facts": [1], "overall": [], "metrics": {}}',
    "figures that are none": '{"facts": {"a": {"value": "much"}}, "metrics": [{}], "overall": {"scores": 1}}',
    "no number": '{"facts": {"a": {"value": NaN}}, "metrics": [7], "overall": null}',
    "400 digits": '{"facts": {"a": {"value": 1' + 400 * "0" + "}}}",
    "5,000 digits": '{"facts": {"a": {"value": 1' + 5_000 * "0" + "}}}",
    "nested": "[" * 100_000,
    "many values": "[" + "[]," * 2_000_000 + "[]]",
    "many figures": json.dumps({"facts": {f"f{n}": {"value": 1} for n in range(2_001)}}),
    "a long name": json.dumps({"facts": {"x" * 10**6: {"value": 1}}, "x" * 10**6: 1}),
    "a hole": lambda path: (path.touch(), os.truncate(path, 2**40)),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link": _link,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A run whose stages have left good files."""
    monkeypatch.setenv("HALLMARK_ROOT", str(tmp_path))
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    journal.write_journal(tmp_path / ".hallmark", Journal(run=RUN, requested_by="ml-engineer", status="experiment"))
    (tmp_path / ".hallmark").chmod(0o700)
    layout = Layout(tmp_path / ".hallmark" / "runs" / RUN)
    for name, content in GOOD.items():
        files.write_json(layout.root / name, content)
    return layout


def test_all_is_shown_of_good_files(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    runs.show(RUN)
    said = capsys.readouterr().out
    assert "cannot be read" not in said and all(text in said for text in SHOWN.values())


@pytest.mark.attack(rights="stage", stopped="what cannot be read of a run is named, and the rest is shown")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", GOOD)
def test_a_file_that_cannot_be_read_is_named(
    layout: Layout, name: str, odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, content = layout.root / name, ODD[odd]
    path.unlink()
    if callable(content):
        content(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    runs.show(RUN)
    said = capsys.readouterr().out
    assert "done: risk tier experiment" in said and len(said) < 10_000
    assert f"{path}: expected" in " ".join(said.split()) and said.count("cannot be read, and is left out") == 1
    assert all(text in said for other, text in SHOWN.items() if other != name)
    runs.show(RUN, as_json=True)
    printed = capsys.readouterr()
    assert str(path) in printed.err and "unreadable" not in json.loads(printed.out)
