"""Outputs of a stage: the supervisor takes these of all that the stage leaves, and nothing disguised as one."""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Refused
from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.supervise import output_check, shell
from tests.boundary.stage_of import a_run, as_it_is, bring, sparse
from tests.forking import Forking
from tests.sandbox import inside_each, make, needs_sandbox

pytestmark = needs_sandbox


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], set[str]]:
    """How each way to give a file another name ended, and the names among the outputs."""
    place = tmp_path_factory.mktemp("linked")
    made, given, kept = make(place), place / "given" / "x", place / "kept" / "x"
    for path in (given, kept):
        path.parent.mkdir()
        path.write_text("x")
    ways = {
        "by name": f"os.link({str(given)!r}, target)",
        "by an open file": f"os.link('/proc/self/fd/%d' % os.open({str(given)!r}, os.O_RDONLY), target)",
        "of what it keeps": f"os.link({str(kept)!r}, target)",
        "by a rename": f"os.rename({str(kept)!r}, target)",
    }
    source = """
import os
target = TARGET
try:
    WAY
    found = "linked"
except OSError as error:
    found = error.errno
"""
    asked = {
        how: source.replace("TARGET", repr(str(made.root / "artefacts" / how))).replace("WAY", way)
        for how, way in ways.items()
    }
    found = inside_each(replace(made, read_only_mounts={given.parent: None}, writable_folders=(kept.parent,)), asked)
    return found, {path.name for path in made.output_folder.iterdir()}


@pytest.mark.attack(rights="stage", stopped="files are not linked from one mount to another")
@pytest.mark.parametrize("how", ["by name", "by an open file", "of what it keeps", "by a rename"])
def test_a_file_that_others_change_later_is_no_output(linked: tuple[dict[str, Any], set[str]], how: str) -> None:
    """A second name of a file that it may write in the next run would change what was signed."""
    assert linked[0][how] in (errno.EXDEV, errno.EPERM, errno.EROFS) and how not in linked[1]


LEFT = {
    "outputs of another stage": "artefacts/validate/result.json",
    "figures that it does not measure": "measured/clean/facts.json",
    "figures of another stage": "measured/train/facts.json",
    "a report beside its figures": "measured/report.html",
    "the error of another stage": "measured/train.error",
    "a folder that leads to its code": "artefacts/tasks/x",
}
LEAVES = f"""
for name in {[*LEFT.values(), "artefacts/clean/x"]!r}:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("x")
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, supervisors: Forking) -> set[str]:
    """Names of the files that a run keeps of a stage that left all of LEFT, without its code and record."""
    layout = a_run(tmp_path_factory.mktemp("left"))
    before = as_it_is(layout.state)
    ended = bring(supervisors, layout, LEAVES)
    assert ended.code == 0, ended.told
    new = as_it_is(layout.state).keys() - before.keys()
    return {name for name in new if not name.startswith(("runs/r1/tasks/", "records/"))}


@pytest.mark.attack(rights="stage", stopped="of the folder of its outputs what is its own is taken")
@pytest.mark.parametrize("what", list(LEFT))
def test_what_it_leaves_in_the_name_of_another_is_not_taken(left: set[str], what: str) -> None:
    assert f"runs/r1/{LEFT[what]}" not in left


def test_what_is_its_own_is_taken_and_nothing_more(left: set[str]) -> None:
    assert left == {"runs/r1/inputs/stages.json", "runs/r1/artefacts/clean/x"}


@pytest.mark.attack(rights="stage", stopped="a supervisor is no process of the sandbox, and signs what ended well")
@pytest.mark.parametrize(
    "how",
    [
        "os.kill(-1, 9)",
        "os.kill(1, 9); os.kill(os.getppid(), 9); os._exit(1)",
        "os.killpg(0, 9)",
        "__import__('ctypes').CDLL(None).prctl(1, 0); os.kill(os.getpid(), 11)",
        "os.execv(Path(sys.executable).with_name('hallmark-stage'), ['hallmark-stage', '-c', 'x clean'])",
    ],
)
def test_who_ends_others_is_not_signed(supervisors: Forking, tmp_path: Path, how: str) -> None:
    layout = a_run(tmp_path)
    before = as_it_is(layout.state / "records")
    ours = str(Path("/proc/self/ns/pid").readlink())
    apart = f"assert os.readlink('/proc/self/ns/pid') != {ours!r}, 'or it ends processes of this machine'"
    ended = bring(supervisors, layout, f"(root / 'artefacts/clean').mkdir(exist_ok=True)\n{apart}\n{how}")
    assert ended.code and not layout.artefacts("clean").exists() and not list((layout.state / "boxes").iterdir())
    assert as_it_is(layout.state / "records") == before


PLANTS: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "without_end": sparse,
    "no_text": lambda path: path.write_bytes(b"\xff\x1b]0;mine\x07" * 9),
}


@pytest.mark.attack(rights="stage", stopped="why a stage failed is read from a file of its own alone")
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_why_it_failed_is_read_to_an_end(tmp_path: Path, plant: Callable[[Path], object]) -> None:
    layout, place = Layout(tmp_path / ".hallmark" / "runs" / "r1"), tmp_path / "place"
    (place / "measured").mkdir(parents=True)
    layout.root.mkdir(parents=True)
    plant(place / "measured" / "clean.error")
    shell._store_error("clean", layout, place)
    said = layout.root / "measured" / "clean.error"
    assert not said.exists() or said.stat().st_size <= shell.MAX_ERROR_BYTES


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
@pytest.mark.parametrize("place", ["keys", "."])
def test_a_link_for_its_whole_folder_moves_nothing(tmp_path: Path, place: str) -> None:
    layout = a_run(tmp_path)
    before = as_it_is(layout.state)
    outputs = tmp_path / "box" / "artefacts"
    outputs.mkdir(parents=True)
    (outputs / "clean").symlink_to(layout.state / place)
    with pytest.raises(Refused, match="which is no folder; nothing of it is taken"):
        output_check.copy_checked_output(outputs, "clean", layout.artefacts("clean"), "clean")
    assert as_it_is(layout.state) == before


@pytest.mark.attack(rights="stage", stopped="what is taken belongs to its owner alone")
@pytest.mark.parametrize("mode", [0o777, 0o2777, 0o1777, 0o666])
def test_what_it_leaves_is_nobody_elses_to_read(tmp_path: Path, mode: int) -> None:
    layout = a_run(tmp_path)
    outputs = tmp_path / "box" / "artefacts" / "clean"
    outputs.mkdir(parents=True)
    (outputs / "x").write_text("x")
    for path in (outputs / "x", outputs):
        path.chmod(mode if path.is_dir() or not mode & stat.S_ISGID else 0o777)
    output_check.copy_checked_output(outputs.parent, "clean", layout.artefacts("clean"), "clean")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (layout.artefacts("clean"), layout.artefacts("clean") / "x")}
    assert modes <= {0o700, 0o600}


@pytest.mark.attack(rights="commit", stopped="tables that unreviewed code left are measured before they are accepted")
@pytest.mark.parametrize("tier", ["experiment", "low"])
def test_a_table_that_repeats_a_text_is_no_output_of_unreviewed_code(
    supervisors: Forking, tmp_path: Path, tier: str
) -> None:
    layout = a_run(tmp_path)
    write_json(layout.authority_path, {"tier": tier})
    body = """
import pyarrow as pa, pyarrow.parquet as pq
(root / "artefacts" / "clean").mkdir(parents=True, exist_ok=True)
pq.write_table(pa.table({"text": ["x" * 10_000]}).take([0] * 30_000), root / "artefacts" / "clean" / "rows.parquet")
"""
    ended = bring(supervisors, layout, body)
    table = layout.artefacts("clean") / "rows.parquet"
    if tier == "experiment":
        assert ended.code == 1 and "stage clean left a table that is not accepted" in ended.told
        assert not table.exists()
    else:
        assert ended.code == 0 and table.stat().st_size < 100_000, ended.told
