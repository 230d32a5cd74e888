"""What a commit, a name in a file of settings, or the folder and environment of a command bring along."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.core.errors import InputError, Refused
from tasks.core.params.params import Params
from tasks.declarations import status
from tasks.declarations.signed_declaration import DECLARATION_KIND, ENTRY_KIND
from tasks.gates import policy_tests
from tasks.runs.git import commit_tree
from tasks.runs.git.repository import Repository
from tasks.sources.sources import Source
from tests.declarations.test_declarations import SOURCE, outside, require, sign, source, waits  # noqa: F401
from tests.governed.fixtures import folder, house, made  # noqa: F401
from tests.governed.house import PARAMS, House
from tests.patience import patience
from tests.soaking import soak
from tests.tiny_project import commit, git

PROGRAM = Path(sys.executable).with_name("hallmark")
CODE = "rows = 1  # $Id$ $Format:%H$\n"


def cloned(place: Path) -> Path:
    (place / "tasks").mkdir(parents=True)
    (place / "tasks" / "clean.py").write_text(CODE)
    git(place, "init", "--quiet", "--initial-branch", "main")
    commit(place, "one")
    return place


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return cloned(tmp_path / "clone")


def brought(clone: Path, run: str = "r1") -> tuple[commit_tree.CommitTree, Path]:
    """The tree of HEAD, and a run's worktree of it."""
    checkout = Repository.open(clone)
    at = checkout.commit_id("HEAD")
    worktree = clone / ".hallmark" / "runs" / run
    worktree.parent.mkdir(parents=True, exist_ok=True)
    checkout.add_worktree(worktree, at)
    return commit_tree.read_tree(checkout, at), worktree


ATTRIBUTES = ["ident", "text eol=crlf", "filter=lfs", "export-subst", "merge=ours", "diff=x"]


@pytest.fixture(scope="module")
def attributed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """Differences in a worktree of a commit that has a file with each attribute, and the worktree."""
    clone = cloned(tmp_path_factory.mktemp("attributes") / "clone")
    for number in range(len(ATTRIBUTES)):
        (clone / "tasks" / f"a{number}.py").write_text(CODE)
    lines = [f"tasks/a{number}.py {attribute}\n" for number, attribute in enumerate(ATTRIBUTES)]
    (clone / ".gitattributes").write_text("".join(lines))
    commit(clone, "attributes")
    held, worktree = brought(clone)
    return held.differing_paths(worktree, (".git",)), worktree


@pytest.mark.attack(rights="commit", stopped="a worktree is compared with what the commit holds, byte for byte")
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_an_attribute_changes_no_code_unseen(attributed: tuple[list[str], Path], attribute: str) -> None:
    differs, worktree = attributed
    path = f"tasks/a{ATTRIBUTES.index(attribute)}.py"
    same = (worktree / path).read_bytes() == CODE.encode()
    assert (path in differs) is not same
    assert set(differs) <= {f"tasks/a{number}.py" for number in range(len(ATTRIBUTES))}


@pytest.mark.attack(rights="commit", stopped="what git keeps under a name is read as it is, and replaced by nothing")
@pytest.mark.parametrize("how", ["a replaced file", "a replaced commit", "a graft", "a note", "an index of its own"])
def test_refs_beside_a_commit_change_nothing_of_it(clone: Path, how: str) -> None:
    before, _ = brought(clone)
    first = git(clone, "rev-parse", "HEAD")
    (clone / "other").write_text("rows = 2\n")
    other = git(clone, "hash-object", "-w", "other")
    (clone / "other").unlink()
    if how == "a replaced file":
        git(clone, "replace", git(clone, "rev-parse", "HEAD:tasks/clean.py"), other)
    elif how == "a replaced commit":
        empty = git(clone, "commit-tree", git(clone, "hash-object", "-w", "-t", "tree", "/dev/null"), "-m", "x")
        git(clone, "replace", first, empty)
    elif how == "a graft":
        (clone / ".git" / "info" / "grafts").write_text(f"{first} {first}\n")
    elif how == "a note":
        git(clone, "notes", "add", "-m", "tasks/clean.py", first)
    else:
        git(clone, "update-index", "--add", "--cacheinfo", f"100644,{other},tasks/clean.py")
    after, worktree = brought(clone)
    assert after.sha256 == before.sha256
    assert (worktree / "tasks" / "clean.py").read_text() == CODE


ODD_NAMES = [
    b"a\nb.txt", b"-rf", b'"quoted".txt', b"\xff\xfe.txt", "e\u0301.txt".encode(), "\u00e9.txt".encode(), b" lead",
    b"trail ", b"a\tb", b":(top)x", b"*.txt", b"\x1b[2J", b"x" * 255,
]  # fmt: skip


@pytest.fixture(scope="module")
def oddly_named(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str], list[str]]:
    """Differences in a worktree with a file of each name, before and after each is changed, and git's own changes."""
    clone = cloned(tmp_path_factory.mktemp("names") / "clone")

    def write(place: Path, text: str) -> None:
        for name in ODD_NAMES:
            Path(os.fsdecode(os.fsencode(place) + b"/tasks/" + name)).write_text(text)

    write(clone, "as reviewed")
    commit(clone, "odd")
    held, worktree = brought(clone)
    before = held.differing_paths(worktree, (".git",))
    write(worktree, "other")
    write(clone, "other")
    changes = [change for change in Repository.open(clone).uncommitted_changes() if ".hallmark" not in change]
    return before, held.differing_paths(worktree, (".git",)), changes


@pytest.mark.attack(rights="commit", stopped="every path counts by its bytes, whatever git would quote of it")
@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_a_file_of_an_odd_name_is_seen(oddly_named: tuple[list[str], list[str], list[str]], name: bytes) -> None:
    before, after, changes = oddly_named
    assert before == [] and f"tasks/{os.fsdecode(name)}" in after and len(after) == len(ODD_NAMES)
    assert len(changes) == len(ODD_NAMES)


@pytest.mark.attack(rights="disk", stopped="git runs no hook for Hallmark")
def test_no_hook_of_the_clone_runs(clone: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for name in ("post-checkout", "reference-transaction", "pre-commit", "commit-msg", "post-commit",
                 "post-index-change", "prepare-commit-msg", "post-rewrite", "pre-push", "update"):  # fmt: skip
        hook = clone / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {touched}\n")
        hook.chmod(0o755)
    _, worktree = brought(clone)
    (worktree / "dvc.lock").write_text("x")
    checkout = Repository.open(clone)
    checkout.commit_paths(worktree, ["dvc.lock"], "made", "hallmark")
    (clone / "new").write_text("x")
    checkout.commit_snapshot()
    checkout.run_git("update-ref", "refs/hallmark/runs/r1", "HEAD")
    assert not touched.exists()
    git(clone, "commit", "--allow-empty", "-m", "by hand")
    assert touched.exists(), "the hooks are such as git runs"


@pytest.fixture(scope="module")
def surrounded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, commit_tree.CommitTree]:
    """A clone, another repository beside it, and the tree of the clone."""
    place = tmp_path_factory.mktemp("surrounded")
    clone, other = cloned(place / "clone"), place / "else"
    other.mkdir()
    (other / "theirs.py").write_text("rows = 2\n")
    (other / "config").write_text(f"[core]\n\tfsmonitor = touch {other / 'touched'}\n")
    git(other, "init", "--quiet")
    commit(other, "theirs")
    before, _ = brought(clone)
    return clone, other, before


@pytest.mark.attack(rights="worker", stopped="git is given nothing of the caller's own that would lead it elsewhere")
@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "ELSE/.git"},
        {"GIT_WORK_TREE": "ELSE"},
        {"GIT_OBJECT_DIRECTORY": "ELSE/.git/objects"},
        {"GIT_INDEX_FILE": "ELSE/.git/index"},
        {"GIT_COMMON_DIR": "ELSE/.git"},
        {"GIT_NAMESPACE": "other"},
        {"GIT_EXEC_PATH": "ELSE"},
        {"GIT_TRACE": "TOUCHED"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": "touch TOUCHED"},
        {"GIT_CONFIG_PARAMETERS": "'core.fsmonitor=touch TOUCHED'"},
        {"GIT_CONFIG_GLOBAL": "ELSE/config"},
        {"GIT_EXTERNAL_DIFF": "touch TOUCHED"},
        {"GIT_SSH_COMMAND": "touch TOUCHED"},
        {"GIT_REPLACE_REF_BASE": "refs/heads/"},
        {"GIT_ATTR_SOURCE": "HEAD"},
        {"GIT_CEILING_DIRECTORIES": "/"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_variables_lead_git_nowhere_else(
    surrounded: tuple[Path, Path, commit_tree.CommitTree], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    clone, other, before = surrounded
    touched = other / "touched"
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("ELSE", str(other)).replace("TOUCHED", str(touched)))
    after, worktree = brought(clone, next(iter(variables)).lower().replace("_", "-"))
    checkout = Repository.open(clone)
    checkout.uncommitted_changes()
    checkout.commit_snapshot()
    assert after.sha256 == before.sha256
    assert {entry.path for entry in after.entries} == {"tasks/clean.py"}
    assert (worktree / "tasks" / "clean.py").read_text() == CODE and not touched.exists()


LOOKALIKES = [
    "\u043ewner",
    "Owner",
    "owner\u200b",
    "owner ",
    "\uff4fwner",
    "owner\n",
    "o\u0308wner",
    "../owner",
    "",
    "-owner",
]


@pytest.mark.attack(rights="commit", stopped="a name has small letters, digits, - and _, and looks like no other")
@pytest.mark.parametrize("name", LOOKALIKES, ids=ascii)
def test_no_name_looks_like_anothers(name: str) -> None:
    for field in ("id", "owner", "steward"):
        with pytest.raises(ValidationError):
            Source.model_validate(SOURCE | {field: name})
    with pytest.raises(ValidationError):
        Params.model_validate(PARAMS | {"use_case": PARAMS["use_case"] | {"name": name}})


@pytest.mark.attack(rights="database", stopped="what was signed counts once, in the place that it was signed for")
@pytest.mark.parametrize("times", [1, 3])
def test_what_was_adopted_before_does_not_come_back(outside: House, times: int) -> None:  # noqa: F811
    """Narrow, wide, and narrow again: what was signed of the wide one is for just the place that it had."""
    narrow, wide = source(), source(access=["data-owner", "engineer"])
    for each in (narrow, wide, narrow):
        sign(outside, "owner", each)
    require(outside, narrow)
    (old,) = (
        entry
        for entry in outside.ledger.entries(ENTRY_KIND)
        if "engineer" in DECLARATION_KIND.unverified_document(entry.body["envelope"]).declared.source.access
    )
    for _ in range(times):
        outside.ledger.append(ENTRY_KIND, old.subject, old.body)
    assert (
        status.read_status(outside.ledger, outside.governance).declarations_by_subject["source/tickets"].declared
        == narrow
    )
    with pytest.raises(Refused, match="access differ"):
        require(outside, wide)


@pytest.mark.attack(rights="approver", stopped="of two who adopt at once the second signs for another place")
def test_two_who_adopt_at_once_do_not_both_have_their_way(outside: House) -> None:  # noqa: F811
    """A place that two new sources claim before either is in force: the one that comes later takes both owners."""
    first, second = source(), source(id="own", owner="second")
    assert waits(outside, first) == ["owner"] and waits(outside, second) == ["second"]
    sign(outside, "owner", first)
    sign(outside, "second", second)
    require(outside, first)
    assert waits(outside, second) == ["owner"]


@pytest.mark.attack(rights="commit", stopped="cases of a policy are read as data, each figure within its bounds")
@pytest.mark.parametrize(
    "text",
    [
        "cases: !!python/object/apply:os.system ['touch TOUCHED']",
        "cases: [{name: a, tier: low, gate: data, requester: x, expect: passed, decisions: [{person: x, days: 1e99}]}]",
        "cases: [{name: a, tier: low, gate: ../x, requester: x, expect: passed}]",
        "cases: [{name: a, tier: low, gate: data, requester: ../../x, expect: passed}]",
        "cases: &a [*a]",
        "cases: []",
        'cases: [{name: "a\\e[2J", tier: low, gate: data, requester: x, expect: passed}]',
        "[" * 200,
    ],
    ids=["an object", "days", "a gate", "a requester", "itself", "none", "a terminal's", "deep"],
)
def test_cases_of_a_policy_are_refused_in_words(tmp_path: Path, text: str) -> None:
    touched = tmp_path / "touched"
    (tmp_path / "policy_tests.yaml").write_text(text.replace("TOUCHED", str(touched)))
    with pytest.raises(InputError):
        policy_tests.load_cases(tmp_path)
    assert not touched.exists()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that somebody handed over, with whatever Python, Prefect or pytest may load from where one stands."""
    place = tmp_path_factory.mktemp("handed over")
    loads = f"open({str(place / 'touched')!r}, 'a').write(__name__)\n"
    names = ("typer", "rich", "pydantic", "sitecustomize", "usercustomize", "conftest", "setup", "tasks", "infra",
             "flows", "json", "prefect", "yaml", "ruamel")  # fmt: skip
    for name in names:
        (place / name).mkdir()
        (place / name / "__init__.py").write_text(loads)
        (place / f"{name}.py").write_text(loads)
    (place / "dvc.yaml").touch()
    (place / "params.yaml").write_text("use_case: \x1b[2J\n")
    (place / ".env").write_text("HALLMARK_ROOT=/\nHALLMARK_LEDGER_URL=postgresql://evil.invalid/x\n")
    (place / "pyproject.toml").write_text("[tool.prefect]\nlogging.config_path = 'x.yml'\n")
    git(place, "init", "--quiet")
    yield place


@pytest.mark.attack(rights="commit", stopped="a command runs what is installed, and nothing of the folder it stands in")
@pytest.mark.parametrize(
    "words",
    ["status", *soak(["params check params.yaml"]), "releases verify .", *soak(["gates list", "up --help"])],
)
def test_a_command_loads_nothing_from_where_it_stands(hostile: Path, words: str) -> None:
    done = subprocess.run([PROGRAM, *words.split()], cwd=hostile, capture_output=True, text=True, timeout=patience(60))
    assert not (hostile / "touched").exists()
    assert "Traceback" not in done.stderr and "\x1b[2J" not in done.stdout + done.stderr
    assert "evil.invalid" not in done.stdout + done.stderr
