"""The log keeps a stage's output up to a limit, and a note says where it ends."""

import pytest

from flows import stages
from flows.stages import BoundedLog


@pytest.mark.attack(rights="stage", stopped="of what a stage prints two million characters are kept")
def test_a_stage_that_prints_without_end_fills_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "MAX_LOG_CHARS", 100)
    kept: list[str] = []
    log = BoundedLog(kept.append)
    for _ in range(1000):
        log.add("x" * 9)
    assert kept[:10] == ["x" * 9] * 10 and len(kept) == 11
    assert kept[10] == "the stage has printed 100 characters; what it prints from here on is not kept"
