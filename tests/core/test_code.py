"""A digest of the code of a stage, which only what runs can change."""

from pathlib import Path

import pytest

from tasks.core import code
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
        "tasks/stages/other.py": "x = 1\n", "tasks/stages/__init__.py": '"""A tour."""\n',
        "tasks/stages/looks/page.html": "<p>", "tasks/stages/room/__init__.py": '"""Another."""\n',
        "tasks/stages/room/more.txt": "not ours\n",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in code.files_behind(code.Tree(root), ["tasks.stages.join"])]


def test_the_code_is_what_is_imported_and_what_lies_beside_it(root: Path) -> None:
    assert names(root) == [
        "tasks/core/helper.py", "tasks/stages/__init__.py", "tasks/stages/join.py", "tasks/stages/looks/page.html",
        "tasks/stages/words.txt",
    ]  # fmt: skip


SAME = {
    "another docstring": (MODULE, MODULE.replace("Says what it is.", "Says it\n\nat length.")),
    "no docstring": (MODULE, MODULE.replace('    """Join them."""\n', "")),
    "another comment": (MODULE, MODULE.replace("# but this is", "# and this is äöü")),
    "no comment": (MODULE, MODULE.replace("  # and why", "")),
    "another word on a field": (MODULE, MODULE.replace("In any language: äöü.", "Any.")),
    "blank lines": (MODULE, MODULE.replace("\n\n", "\n\n\n")),
}
OTHER = {
    "another text": MODULE.replace('"# no comment"', '"# a comment"'),
    "another indent": MODULE.replace("    return label", "    if label:\n        return label"),
    "another import": MODULE.replace("import json", "import pickle as json"),
    "a line that only Python sees": MODULE.replace("# but this is", "# but this is\rlabel = ''"),
    "another encoding": "# coding: utf-7\n" + MODULE,
    "a page feed": MODULE.replace("# and why", "# and why\f"),
    "a mark at the beginning": "\ufeff" + MODULE,
    "a text that is no docstring": MODULE.replace('label = "# no comment"', 'label = """# no comment"""'),
}


@pytest.mark.parametrize("case", SAME)
def test_what_is_said_to_readers_counts_for_nothing(case: str) -> None:
    before, after = (text.encode() for text in SAME[case])
    assert before != after and code.what_runs(before) == code.what_runs(after)


@pytest.mark.parametrize("case", OTHER)
def test_what_runs_counts(case: str) -> None:
    assert code.what_runs(MODULE.encode()) != code.what_runs(OTHER[case].encode())


LONG = 'TEXT = """\nfirst\n\nsecond \n"""\nOTHER = f"""{TEXT}\n\n{TEXT}"""\n'


@pytest.mark.attack(rights="commit", stopped="two sources that do something else have not one digest")
@pytest.mark.parametrize(
    "after",
    [LONG.replace("\n\nsecond", "\nsecond"), LONG.replace("second ", "second"), LONG.replace("}\n\n{", "}\n{")],
    ids=["blank", "space", "blank with values"],
)
def test_a_text_of_several_lines_counts_with_its_blanks(after: str) -> None:
    assert code.what_runs(LONG.encode()) != code.what_runs(after.encode())


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
    for path in code.files_of(source, "clean"):
        target = tmp_path / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    before = code.of_stage(tmp_path, "clean")
    assert before == code.of_stage(source, "clean")
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\nLAYERS = 3\n")
    assert code.of_stage(tmp_path, "clean") != before


@pytest.mark.attack(rights="commit", stopped="where code can read a docstring, every byte of it counts")
def test_a_docstring_that_may_be_run_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = root / "tasks" / "stages" / "join.py"
    monkeypatch.setattr(code, "files_in", lambda tree, _: code.files_behind(tree, ["tasks.stages.join"]))
    digests = []
    for ending in ("", "\nprint(helper.__doc__)\n"):
        for said in ("Clean.", "Cleans."):
            module.write_text(MODULE + ending)
            (root / "tasks" / "core" / "helper.py").write_text(HELPER.replace("Clean.", said))
            digests.append(code.of_stage(root, "clean"))
    assert digests[0] == digests[1] and digests[2] != digests[3]


def test_code_that_is_no_python_is_told(root: Path) -> None:
    (root / "tasks" / "core" / "helper.py").write_text("def clean(row:\n")
    with pytest.raises(InputError, match=r"helper\.py:1: is no Python that this version reads"):
        names(root)


def test_what_is_left_is_the_code(root: Path) -> None:
    left = code.what_runs(MODULE.encode()).decode()
    assert '"""' not in left and "why" not in left and '"# no comment"' in left


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
