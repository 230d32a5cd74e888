"""A later version reads the golden past: a field, a gate, a kind of entry or a column more changes nothing of it."""

from pathlib import Path

import pytest

from tasks.core.documents.document import Document
from tasks.core.errors import InputError
from tasks.core.json_text import canonical_json
from tests.golden import drill, past
from tests.golden.drill import CHANGES, Change
from tests.soaking import soak

VERSION = past.VERSIONS[-1]
TOGETHER = next(change for change in CHANGES if change.kind == "every format")
EACH_FORMAT = [change for change in CHANGES if change.what == TOGETHER.what and change is not TOGETHER]
OTHERS = [change for change in CHANGES if change not in EACH_FORMAT]
SOON = [check for check in past.CHECKS if check is not past.audited]


def test_every_kind_of_change_is_played() -> None:
    assert {change.what for change in CHANGES} == {
        "an optional field", "another gate", "another kind of entry", "a column",
    }  # fmt: skip


@pytest.mark.parametrize("version", past.VERSIONS)
@pytest.mark.parametrize("change", [*OTHERS, *soak(map(pytest.param, EACH_FORMAT))], ids=str)
def test_the_past_holds(change: Change, version: str, tmp_path: Path) -> None:
    with drill.played(change, version, tmp_path / "house") as found:
        for check in past.CHECKS if change is TOGETHER else SOON:
            check(found)


def test_the_drill_notices_what_is_spelled_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As documents were once, before they remembered their bytes."""
    monkeypatch.setattr(Document, "serialised", property(lambda self: canonical_json(self._model_value())))
    with (
        pytest.raises(InputError, match="the statement is about other digests than what it holds"),
        drill.played(TOGETHER, VERSION, tmp_path / "house"),
    ):
        pass
