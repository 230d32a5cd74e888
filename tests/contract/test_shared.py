"""What a session makes once for all of its processes, and how long a test may take there."""

from pathlib import Path

import pytest

from tests import patience, shared


def test_the_first_who_asks_makes_it_and_others_have_it(tmp_path: Path) -> None:
    made: list[Path] = []
    for _ in range(2):
        assert shared.made_once(tmp_path / "it", made.append) == tmp_path / "it"
    assert len(made) == 1 and (tmp_path / "it").is_dir()


def test_what_could_not_be_made_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[Path] = []

    def fail(folder: Path) -> None:
        tried.append(folder)
        raise ValueError("a stage is broken")

    with pytest.raises(ValueError, match="a stage is broken"):
        shared.made_once(tmp_path / "it", fail)
    with pytest.raises(pytest.fail.Exception, match=r"it could not be made:(.|\n)*a stage is broken"):
        shared.made_once(tmp_path / "it", fail)
    assert len(tried) == 1


@pytest.mark.timeout(70)
def test_a_limit_of_time_grows_with_the_machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(patience.SLOWNESS, "2")
    before = request.node.get_closest_marker("timeout").args[0]
    patience.lengthen_timeouts([request.node], request.config)
    assert request.node.get_closest_marker("timeout").args == (2 * before,)
