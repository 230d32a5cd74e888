"""What a training will need is told in a fresh clone too."""

from pathlib import Path

from tasks.runs import foretold
from tests.checkouts import Checkouts


def test_before_anything_was_made_it_goes_by_parameters_and_model_alone(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.made(tmp_path / "project")
    told = foretold.look(project, None, {})
    assert told.estimate.fits and told.estimate.workload is None and told.rows_of == ""
    assert not list((project / ".hallmark").iterdir())
