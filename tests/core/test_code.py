"""The digest of the code of a stage, in which every byte counts."""

from pathlib import Path

import pytest

from tasks.core import code_digest
from tasks.core.errors import InputError

MODULE = '''"""Says what it is."""

from tasks.core import helper  # and why
import json


class Row:
    """A row."""

    text: str
    """In any language: äöü."""


def run(rows: list[Row]) -> str:
    """Join them."""
    # sorted, so that the same rows give the same text
    label = "# no comment"  # but this is
    return label + json.dumps([helper.clean(row) for row in rows])
'''
HELPER = 'def clean(row):\n    """Clean."""\n    return row\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "tasks/stages/join.py": MODULE, "tasks/core/helper.py": HELPER, "tasks/stages/words.txt": "a\n",
        "tasks/stages/.py": "b\n", "tasks/stages/other.py": "x = 1\n", "tasks/stages/__init__.py": '"""A tour."""\n',
        "tasks/stages/looks/page.html": "<p>", "tasks/stages/room/__init__.py": '"""Another."""\n',
        "tasks/stages/room/more.txt": "not ours\n",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix()
        for path in code_digest.module_files(code_digest.SourceTree(root), ["tasks.stages.join"])
    ]


def test_the_code_is_what_is_imported_and_what_lies_beside_it(root: Path) -> None:
    assert names(root) == [
        "tasks/core/helper.py", "tasks/stages/.py", "tasks/stages/__init__.py", "tasks/stages/join.py",
        "tasks/stages/looks/page.html", "tasks/stages/words.txt",
    ]  # fmt: skip


def test_digests_do_not_depend_on_how_the_root_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert code_digest.stage_digest(Path(), "clean") == code_digest.stage_digest(Path.cwd(), "clean")


def test_every_module_that_a_computed_name_may_stand_for_is_code(root: Path) -> None:
    more = (
        '\nimport importlib\n\nimport_one = lambda kind: importlib.import_module(f"tasks.kinds.{kind}_one")\n'
        'import_same = lambda: importlib.import_module(f"tasks..kinds.a_one")\n'  # which Python imports as well
    )
    (root / "tasks" / "stages" / "join.py").write_text(MODULE + more)
    (root / "tasks" / "kinds").mkdir()
    for name in ("a_one", "b_one", "two"):
        (root / "tasks" / "kinds" / f"{name}.py").touch()
    assert [each for each in names(root) if "kinds" in each] == ["tasks/kinds/a_one.py", "tasks/kinds/b_one.py"]


@pytest.mark.attack(rights="commit", stopped="every byte of a stage's code is in its digest")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Says what it is.", "Says what is."), ("any language", "some language"), ("# and why", "# or why"),
        ("\n\n\ndef", "\n\n\n\ndef"), ("list[Row]) -> str:", "list[Row]) -> str: "),
    ],
    ids=["docstring", "description of a field", "comment", "blank line", "space"],
)  # fmt: skip
def test_what_code_can_read_of_itself_counts(root: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    monkeypatch.setattr(
        code_digest, "stage_files_in", lambda tree, _: code_digest.module_files(tree, ["tasks.stages.join"])
    )
    before = code_digest.stage_digest(root, "clean")
    assert old in MODULE
    (root / "tasks" / "stages" / "join.py").write_text(MODULE.replace(old, new))
    assert code_digest.stage_digest(root, "clean") != before


@pytest.mark.attack(rights="commit", stopped="what starts a stage, and every package above its code, is in its digest")
@pytest.mark.parametrize(
    "name",
    [
        "tasks/__init__.py",
        "tasks/stages/__init__.py",
        "tasks/stages/start.py",
        "tasks/stages/runner.py",
        "tasks/core/__init__.py",
    ],
)
def test_what_starts_a_stage_counts(tmp_path: Path, name: str) -> None:
    source = Path(__file__).parents[2]
    for path in code_digest.stage_files(source, "clean"):
        target = tmp_path / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    before = code_digest.stage_digest(tmp_path, "clean")
    assert before == code_digest.stage_digest(source, "clean")
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\nLAYERS = 3\n")
    assert code_digest.stage_digest(tmp_path, "clean") != before


def test_code_that_is_no_python_is_told(root: Path) -> None:
    (root / "tasks" / "core" / "helper.py").write_text("def clean(row:\n")
    with pytest.raises(InputError, match=r"helper\.py:1: is no Python that this version reads"):
        names(root)


@pytest.mark.attack(rights="commit", stopped="a link is no file of a stage's code, nor is what lies behind one")
def test_what_a_link_leads_to_is_no_code(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before, elsewhere = names(root), tmp_path_factory.mktemp("elsewhere")
    assert "tasks/core/helper.py" in before
    (root / "tasks" / "core" / "helper.py").replace(elsewhere / "helper.py")
    (root / "tasks" / "core" / "helper.py").symlink_to(elsewhere / "helper.py")
    assert names(root) == [name for name in before if name != "tasks/core/helper.py"]
    (root / "tasks" / "core").rename(elsewhere / "core")
    (root / "tasks" / "core").symlink_to(elsewhere / "core")
    assert not [name for name in names(root) if name.startswith("tasks/core/")]
