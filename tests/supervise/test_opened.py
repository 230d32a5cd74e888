"""A stage reads the file that was checked, even if another file has its name by then."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.supervise import sandbox, source_grants
from tasks.supervise.open_files import open_files
from tests.sandbox import inside, make, needs_sandbox

HANDLES = """
from pathlib import Path
found = [Path(PLACE).read_text()]
for process in ("self", "1"):
    try:
        found += [str(path.readlink()) for path in Path("/proc", process, "fd").iterdir()]
    except OSError:
        pass
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "rows.csv"
    path.parent.mkdir()
    path.write_text("rows")
    return path


@needs_sandbox
@pytest.mark.attack(rights="disk", stopped="a source is opened, looked at and mounted by one handle")
def test_a_link_in_its_place_is_not_mounted(data: Path, tmp_path: Path) -> None:
    """Nor is anything of the handle left inside, since it leads out."""
    if sandbox._version_numbers() < sandbox.OLDEST_VERSION_WITH_BIND_FD:
        pytest.skip("this bubblewrap mounts nothing by its handle")
    (tmp_path / "key").write_text("secret")
    with open_files() as read:
        assert read.open_if_exists(data)
        data.rename(data.with_name("aside"))
        data.symlink_to(tmp_path / "key")
        made = replace(make(tmp_path / "made"), read_only_mounts={data: read.descriptors[data]})
        said, *handles = inside(made, HANDLES.replace("PLACE", repr(str(data))))
    assert said == "rows" and handles and not [place for place in handles if place.startswith(str(data.parent))]


@pytest.mark.attack(rights="disk", stopped="a source is opened, looked at and mounted by one handle")
def test_a_link_that_is_there_for_a_moment_is_looked_at(data: Path, tmp_path: Path) -> None:
    key = tmp_path / ".ssh" / "key"
    key.parent.mkdir()
    key.write_text("secret")
    aside = data.rename(data.with_name("aside"))
    data.symlink_to(key)
    with open_files() as read:
        assert read.open_if_exists(data)
        aside.replace(data)
        with pytest.raises(InputError, match="where no data is"):
            source_grants.require_allowed_location("s", read.real_path(data), Layout(tmp_path / "checkout"))
        assert read.proc_path(data).read_text() == "secret", "it is what would have been mounted"


def test_what_is_not_there_is_not_held(tmp_path: Path) -> None:
    with open_files() as read:
        assert not read.open_if_exists(tmp_path / "none") and read.real_path(tmp_path / "none") == tmp_path / "none"
