"""Hostile text in every field that takes text: refused where it is written, and spelled out by every command if not."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from infra.cli import main
from infra.console.pages import PAGES, Page, api_path, csv_paths
from tasks.consent import withdrawals
from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.params import Params
from tasks.gates import decisions
from tasks.policy import fact_names_check
from tasks.policy.people import People
from tasks.policy.policy import Policy
from tasks.runs import journal
from tasks.runs.journal import Journal, StageState
from tasks.sources.expectation_suites import ExpectationSuite
from tasks.sources.sources import Sources
from tests.checkouts import Checkouts
from tests.console.visits import console_of, reader_of
from tests.core.test_shown import HOSTILE, RAW
from tests.editing import changed, edit
from tests.infra.promoted import promote
from tests.infra.test_datasets import ask
from tests.infra.test_guard import every_verb
from tests.tiny_project import commit, create

TEXT = "".join(one for one in HOSTILE if ord(one) < 0xD800)
"""As YAML takes it; a character of two halves, in the form of JSON, would be none to it."""
UNDECODABLE, TOLD = "Ren\udce9e", "Ren<U+DCE9>e"
"""An argument of Latin-1 as Python decodes it, and as it is shown."""
FILES: dict[str, type[FrozenModel]] = {
    "params.yaml": Params,
    "infra/governance/sources.yaml": Sources,
    "infra/governance/people.yaml": People,
    "infra/governance/policy.yaml": Policy,
    "infra/governance/expectations/messages.yaml": ExpectationSuite,
}
NAMES = {"id", "location", "truth", "suite", "owner", "steward", "folder", "column", "prompt", "intent", "queue",
         "type", "department", "business", "technical", "data"}  # fmt: skip
"""Keys whose text names something else, by which it would no longer be found."""


def leaves(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document holds text."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*where, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from leaves(item, (*where, place))
    elif isinstance(value, str):
        yield where


def put(document: Any, where: tuple[Any, ...], text: str) -> str:
    """Set a text, and return what stood there."""
    for part in where[:-1]:
        document = document[part]
    before: str = document[where[-1]]
    document[where[-1]] = text
    return before


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.made(tmp_path_factory.mktemp("plain"))


@pytest.mark.attack(rights="approver", stopped="what others read and sign holds nothing that does not show")
@pytest.mark.parametrize("name", FILES)
def test_hidden_characters_are_refused_in_every_text_of_a_file(plain: Path, name: str) -> None:
    document = read(plain / name)
    for where in leaves(document):
        before = put(document, where, "MIT\x1b[8m")
        with pytest.raises(InputError, match=r"it holds the character <U\+001B>, which nobody sees"):
            config.validate_document(document, FILES[name], plain / name)
        put(document, where, before)


def test_a_refusal_names_the_line(plain: Path) -> None:
    path = plain / "infra" / "governance" / "sources.yaml"
    with (
        changed(path, lambda text: text.replace(b"licence: CC0-1.0", rb'licence: "CC0\u202e"')),
        pytest.raises(InputError, match=r"sources\.yaml:7: sources\.0\.licence: it holds the character <U\+202E>"),
    ):
        config.load_settings(path, Sources)


@pytest.mark.parametrize("reason", ["fine\x1b[2J", "fine \u2066", "fine\x9b"])
def test_a_reason_with_hidden_characters_is_not_signed(reason: str) -> None:
    with pytest.raises(InputError, match="the reason: it holds the character"):
        config.refuse_hidden_characters(reason, "the reason")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Path]:
    """As what was recorded before such text was refused, or by a tool of somebody's own: hostile wherever text goes."""
    folder = checkouts.made(tmp_path_factory.mktemp("hostile"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "first_hidden_character", lambda _text: None)
        patch.setattr(fact_names_check, "require_known_facts", lambda *_: None)
        for name, model in FILES.items():
            document, taken = read(folder / name), 0
            for where in leaves(document):
                if where[-1] in NAMES or (model, where[-1]) == (ExpectationSuite, "name"):
                    continue
                before = put(document, where, TEXT)
                try:
                    config.validate_document(document, model, folder / name)
                    taken += 1
                except InputError:
                    put(document, where, before)
            if model is Params:
                put(document, ("use_case", "name"), "tiny")
            assert taken, f"{name} has no text that a person may word"
            (folder / name).write_text(json.dumps(document))  # JSON is YAML
        edit(folder / "examples" / "messages.csv", "I cannot", f"{TEXT.replace(chr(13), '')} I cannot")
        commit(folder, "hostile")
        said(folder, "init")
        run = create(folder, "one")
        governed, ledger, asked = run.governance(), run.ledger(), ask(run)
        decisions.decide(ledger, governed, asked, "data-owner", "reject", TEXT)
        withdrawals.withdraw_source(ledger, governed, "messages", "data-owner", TEXT)
        withdrawals.restore_source(ledger, governed, "messages", "data-owner", TEXT)
        stages = {"ingest": StageState(state="running", progress=TEXT)}
        told = Journal(run="one", requested_by="ml-engineer", use_case=TEXT, status="failed", error=TEXT, stages=stages)
        journal.write_journal(folder / ".hallmark", told)
        texts: dict[str, Any] = {"files": {TEXT: "0" * 64}, "approved_by": {"data": [TEXT]}, "reason": TEXT}
        promote(ledger, governed, run="one", commit=run.commit_files(TEXT), **texts)
        yield folder


def said(project: Path, *args: str) -> str:
    """What `hallmark ARGS` prints in the project, both streams, in this process."""
    told, factory = io.StringIO(), logging.getLogRecordFactory()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(told):
        patch.chdir(project)
        patch.setattr(sys, "argv", ["hallmark", *args])
        patch.setattr(sys, "stdin", io.StringIO(TEXT))
        try:
            main()
        except SystemExit:
            pass
        finally:
            logging.setLogRecordFactory(factory)
    return told.getvalue()


AS_OWNER = ("--as", "data-owner")
COMMANDS: dict[str, list[str]] = {
    "clean": [], "metrics": [],
    "new": [TEXT, "--from", TEXT, "--prompt", TEXT],
    "status": [], "doctor": [], "params check": ["params.yaml"], "params schema": [], "preflight": [], "advise": [],
    "settings": [],
    "serve status": [], "serve down": [], "serve add-key": [TEXT], "serve keys": [], "serve revoke-key": [TEXT],
    "compare": [TEXT], "sweep": ["--over", TEXT],
    "resolve": ["--set", f"use_case.problem={TEXT}"],
    "backup": [TEXT],
    "restore": [TEXT],
    "audit": ["tiny-1"], "reproduce": ["tiny-1"], "init": [], "down": [],
    "data list": [], "data manifest": ["one"], "data quarantine": ["one"], "data conflicts": ["one", *AS_OWNER],
    "data detectors": ["one"],
    "data distribution": ["one"], "data labels": ["one", *AS_OWNER], "data expectations": ["one", *AS_OWNER],
    "data show": ["messages:1", "--run", "one", "--reason", TEXT, *AS_OWNER], "data find": ["--record", "0" * 16],
    "data records": ["tiny-1"], "data withdraw": ["messages", "--reason", TEXT, *AS_OWNER],
    "data adopt": ["messages", "--reason", TEXT, *AS_OWNER],
    "console set-password": ["--stdin", *AS_OWNER], "console accounts": [], "console sessions": [],
    "console revoke": [TEXT], "console stop": [],
    "card list": [], "card adopt": ["--reason", TEXT, "--as", "product-owner"],
    "code list": [], "code adopt": ["--reason", TEXT, "--as", "risk-officer"],
    "code withdraw": ["HEAD", "--reason", TEXT, "--as", "risk-officer"],
    "evaluate errors": ["one", *AS_OWNER], "evaluate compare": ["one", "one"],
    "erase list": [], "erase show": [TEXT], "erase plan": [TEXT], "erase execute": [TEXT], "erase verify": [TEXT],
    "erase request": ["--subject", TEXT, "--identity", TEXT, "--basis", TEXT, "--deadline", "2090-01-01", *AS_OWNER],
    "erase decide": [TEXT, "vault", "--delete", "--reason", TEXT, *AS_OWNER], "erase check": [TEXT],
    "erase certify": [TEXT, "--to", "certificate.json", *AS_OWNER], "erase recall": [TEXT],
    "gates list": ["--all"], "gates show": ["one", "data"],
    "gates approve": ["one", "data", "--reason", TEXT, *AS_OWNER],
    "gates reject": ["one", "data", "--reason", TEXT, *AS_OWNER],
    "gates waive": ["one", "data", "--reason", TEXT, "--check", TEXT, "--until", "2030-01-01", *AS_OWNER],
    "gates withdraw": ["one", "data", *AS_OWNER],
    "identity create": [TEXT], "identity import": [TEXT, TEXT], "identity list": [], "identity root": [],
    "identity revoke": [TEXT, "--as-of", "2026-01-01", "--reason", TEXT],
    "ledger list": [], "ledger show": ["1"], "ledger verify": [], "ledger prove": ["1"], "ledger verify-proof": [TEXT],
    "ledger export": [TEXT], "ledger publish": [],
    "policy show": [], "policy check": ["infra/governance"], "policy test": ["infra/governance"],
    "policy adopt": ["infra/governance", "--as", "risk-officer"],
    "releases list": [], "releases show": ["tiny-1"], "releases verify": [TEXT], "releases admit": ["tiny"],
    "releases export": ["tiny", "--form", "merged", "--to", TEXT, *AS_OWNER],
    "releases champion": ["2030-01-01"], "releases diff": ["tiny-1", "tiny-1"],
    "releases rollback": ["tiny-1", "--reason", TEXT, *AS_OWNER],
    "releases confirm": ["tiny-1", "--reason", TEXT, *AS_OWNER],
    "suites list": [], "suites results": ["one"], "suites add": [TEXT, "--owner", TEXT],
    "suites adopt": ["--reason", TEXT, "--as", "product-owner"],
    "labels start": [TEXT, "--guideline", TEXT, "--guideline-version", TEXT, "--rows", TEXT, *AS_OWNER],
    "labels export": [TEXT, "--to", TEXT, *AS_OWNER], "labels import": [TEXT, TEXT, *AS_OWNER],
    "labels status": [TEXT], "labels agreement": [TEXT, *AS_OWNER],
    "labels adjudicate": [TEXT, "--to", TEXT, *AS_OWNER], "labels finish": [TEXT, "--to", TEXT, *AS_OWNER],
    "review start": [TEXT, "--run", "one", "--annotator", TEXT, *AS_OWNER], "review results": [TEXT, *AS_OWNER],
    "review finish": [TEXT, *AS_OWNER],
    "work": [TEXT], "deploy": ["--yes", "--no-start", *AS_OWNER], "trigger": ["upstream", "--reason", TEXT, *AS_OWNER],
    "runs list": [], "runs show": ["one"], "runs diff": ["one", "one"], "runs stop": ["one"], "teams": [],
    "schedule list": [], "schedule next": [], "schedule pause": ["nightly", "--reason", TEXT, *AS_OWNER],
    "schedule resume": ["nightly", "--reason", TEXT, *AS_OWNER],
    "schedule run": ["nightly", "--reason", TEXT, *AS_OWNER],
    "incidents list": ["--all"], "incidents show": [TEXT], "incidents close": [TEXT, "--reason", TEXT, *AS_OWNER],
}  # fmt: skip
STARTERS = {"run", "up", "watch", "console start", "serve up"}
"""They start servers; what they print beside is printed by `status` and tests/infra/test_isolated.py."""


def test_every_command_is_tried() -> None:
    assert {name for name, _ in every_verb()} == {*COMMANDS, *STARTERS}


@pytest.mark.attack(rights="approver", stopped="whatever is shown is spelled out where it leaves the program")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_passes_hidden_characters_on(project: Path, command: str) -> None:
    """Nor does one fall over them: every answer is a table, a document or an error in words."""
    for more in ([], ["--json"]):
        told = said(project, *command.split(), *COMMANDS[command], *more)
        assert told and not RAW.search(told), told
        assert "Traceback" not in told
        if more and told.startswith(("{", "[")):
            json.JSONDecoder().raw_decode(told)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_argument_that_is_not_utf8_ends_no_command_in_a_traceback(project: Path, command: str) -> None:
    words = COMMANDS[command]
    for place in (each for each, word in enumerate(words) if not word.startswith("--")):
        assert said(project, *command.split(), *words[:place], UNDECODABLE, *words[place + 1 :])


def test_an_argument_that_is_not_utf8_is_named(project: Path) -> None:
    for command in (f"gates show {UNDECODABLE} data", f"data find --subject {UNDECODABLE} --reason x --as data-owner"):
        assert f"hallmark: {TOLD}: this argument is not UTF-8" in said(project, *command.split()), command


def test_the_project_holds_hostile_text(project: Path) -> None:
    for command in ("data list", "gates show", "status", "identity list", "policy check"):
        assert "<U+001B>" in said(project, *command.split(), *COMMANDS[command]), command


@pytest.fixture(scope="module")
def reader(project: Path) -> TestClient:
    """A data owner at the console of the project."""
    return reader_of(console_of(project), "data-owner")


GIVEN = {
    "run": "one", "gate": "data", "label": "tiny-1", "number": "5", "incident": "none", "before": "tiny-1",
    "now": "tiny-1", "first": "one", "second": "one", "name": "nightly",
}  # fmt: skip


@pytest.mark.attack(rights="approver", stopped="pages, their JSON and their CSV spell out what does not show")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_no_page_of_the_console_passes_hidden_characters_on(reader: TestClient, page: Page) -> None:
    for path in (page.path, api_path(page), *csv_paths(page).values()):
        answer = reader.get(path.format(**GIVEN))
        shown = answer.text.replace("\r\n", "\n")  # as lines of a CSV end
        assert answer.status_code in (200, 400, 404, 409) and not RAW.search(shown), (path, shown)
        assert 'name="password"' not in shown, "they are signed in"
