"""The documents name only what exists, and leave nothing out."""

import ast
import re
import shlex
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from infra.cli import command_table
from infra.docs import cli, code, schema
from infra.docs.markdown import heading_anchor
from infra.docs.pages import PAGES
from tasks.compare.base_models import BaseModelFile
from tasks.core.documents import config, yaml_text
from tasks.core.params.params import Params
from tasks.gates.policy_tests import PolicyTestFile
from tasks.policy.gate_rules import GateRules
from tasks.policy.people import People
from tasks.policy.policy import Policy
from tasks.policy.teams import Team
from tasks.policy.tier import BreakGlass
from tasks.scheduling.deployments_file import Deployments
from tasks.sources.expectation_suites import ExpectationSuite
from tasks.sources.owner_detectors import OwnerDetector
from tasks.sources.sources import Source, Sources
from tasks.stages.evaluate.suites.suite import EvaluationSuite
from tasks.supervise import settings

ROOT = Path(__file__).parents[2]
WRITTEN = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
HISTORY = [ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
"""They tell of commands of their time."""
GENERATED = {ROOT / "docs" / path: page for path, page in PAGES.items()}
DOCUMENTS = [*(path for path in WRITTEN if path not in HISTORY), *(p for p in GENERATED if p.name != "changelog.md")]
SETTINGS = [ROOT / "params.yaml", *sorted((ROOT / "examples").rglob("params.yaml"))]
"""Their comments name commands too."""
COMMANDS: dict[str, typer.core.TyperCommand] = dict(cli.list_commands())


@cache
def text_of(document: Path) -> str:
    return GENERATED[document]() if document in GENERATED else document.read_text()


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    assert f"Example: hallmark {command}" in (COMMANDS[command].help or "")


def test_the_reference_has_the_sections_of_the_help() -> None:
    overview = text_of(ROOT / "docs" / "reference" / "cli.md").partition("## Overview")[2].partition("\n## ")[0]
    parts = [part.partition("\n") for part in overview.split("\n### ")[1:]]
    assert [title for title, _, _ in parts] == [*command_table.SECTIONS]
    for title, _, table in parts:
        named = {name.split()[0] for name in re.findall(r"\[`hallmark ([a-z -]+)`", table)}
        assert named == {*command_table.SECTIONS[title]}, title


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_has_every_command_with_its_options(command: str) -> None:
    _, _, section = text_of(ROOT / "docs" / "reference" / "cli.md").partition(f"\n## hallmark {command}\n")
    shown, _, _ = section.partition("\n## ")
    typed = [each for each in COMMANDS[command].params if each.opts[0].startswith("--")]
    options = {cli.negative_option(each) or each.opts[0] for each in typed}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", shown, re.M))


def documented(document: Path) -> list[str]:
    """What follows `hallmark` wherever a document names it in code, a line continued by a backslash as one."""
    text = re.sub(r"\\\n\s*", "", text_of(document))
    return re.findall(r"hallmark ((?:[a-z]+ ?)+[^`\n|]*)", text)


def lines_to_type(document: Path) -> list[str]:
    """The commands of a document's code blocks, each a line that a reader copies."""
    blocks = re.findall(r"```\n(.*?)```", text_of(document), re.S)
    lines = re.sub(r"\\\n\s*", "", "".join(blocks)).splitlines()
    return [line.split("hallmark ", 1)[1] for line in lines if re.match(r"\s*(\S*/bin/)?hallmark [a-z]", line)]


def command_of(words: str) -> str | None:
    return next((known for known in COMMANDS if f"{words} ".startswith(f"{known} ")), None)


UNASKED = ("--resume", "--root-key", "--record")
"""With one of these a command acts for nobody."""


@pytest.mark.parametrize("document", [*DOCUMENTS, *SETTINGS], ids=name)
def test_a_documented_command_names_who_acts(document: Path) -> None:
    """Where the command needs to know; a bare mention in a sentence and what UNASKED holds need not say."""
    asking = {known for known, command in COMMANDS.items() if any("--as" in p.opts for p in command.params)}
    to_type = lines_to_type(document)
    for words in [*to_type, *documented(document)]:
        known = command_of(words)
        bare = words.strip() == known and words not in to_type
        if known in asking and not bare and not any(option in words for option in UNASKED):
            assert "--as " in words, f"{document.name}: `hallmark {words}` does not say who acts"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_a_line_to_type_has_every_required_option(document: Path) -> None:
    for words in lines_to_type(document):
        if known := command_of(words):
            wanted = {p.opts[0] for p in COMMANDS[known].params if p.required and p.opts[0].startswith("--")}
            assert wanted <= set(shlex.split(words)), f"{document.name}: `hallmark {words}` cannot be typed so"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_documents_name_only_commands_and_options_that_exist(document: Path) -> None:
    for words in documented(document):
        tokens = words.split()
        known = tokens[0] if tokens[0] in COMMANDS else " ".join(tokens[:2])
        if tokens[0] not in {n.split()[0] for n in COMMANDS}:
            continue  # prose that happens to follow the product's name
        if known not in COMMANDS and len(tokens) == 1:
            continue  # a group of commands
        assert known in COMMANDS, f"{document.name}: hallmark {words!r} does not exist"
        options = {o for p in COMMANDS[known].params for o in p.opts}
        for option in re.findall(r"--[a-z-]+", re.split("&&|·", words)[0]):
            assert option in options | {"--help"}, f"{document.name}: hallmark {known} has no {option}"


@pytest.mark.parametrize("document", [*WRITTEN, *GENERATED], ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    """To a file or a generated page, and there to a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(document))):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        to = (document.parent / path).resolve() if path else document
        assert to in GENERATED or to.exists(), f"{document.name}: {target} does not exist"
        if heading:
            assert heading in headings(to), f"{document.name}: {target} has no such heading"


@cache
def headings(document: Path) -> set[str]:
    return {heading_anchor(line.strip("# ")) for line in re.findall(r"^#+ .*", without_code(text_of(document)), re.M)}


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)


@pytest.mark.parametrize("document", WRITTEN, ids=name)
def test_make_targets_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    in_code = re.findall(r"`make ([a-z]+)|^make ([a-z]+)", document.read_text(), re.M)
    for target in {one or other for one, other in in_code}:
        assert re.search(rf"^{target}:", makefile, re.M), f"{document.name} names make {target}"


def test_every_make_target_is_documented() -> None:
    makefile = (ROOT / "Makefile").read_text()
    told = set(re.findall(r"`make ([a-z]+)`", (ROOT / "docs" / "start.md").read_text()))
    assert told == set(re.findall(r"^([a-z]+):", makefile, re.M))


def blocks(language: str) -> list[Any]:
    """Every block of a language in the documents."""
    block = re.compile(rf"^ *```{language}\n(.*?)^ *```", re.S | re.M)
    return [
        pytest.param(textwrap.dedent(text), id=f"{name(document)}-{place}")
        for document in WRITTEN
        for place, text in enumerate(block.findall(document.read_text()))
    ]


def of_params(given: dict[str, Any]) -> object:
    """Some sections of params.yaml: the rest is as in the repository's."""
    document = config.to_plain_value(config.read_yaml(ROOT / "params.yaml"))
    changed = {section: document[section] | values for section, values in given.items()}
    return Params.model_validate(document | changed)


SUITE_HEADER = dict.fromkeys(("name", "owner", "title", "about", "licence", "origin"), "x") | {"version": 1}
"""Keys of an evaluation suite that a part of one in a guide leaves out."""
SCHEMAS: dict[str, Callable[[dict[str, Any]], object]] = {
    "sources": Sources.model_validate,
    "people": People.model_validate,
    "cases": PolicyTestFile.model_validate,
    "name": lambda given: (EvaluationSuite if "judge" in given else ExpectationSuite).model_validate(given),
    "judge": lambda given: EvaluationSuite.model_validate(SUITE_HEADER | given),
    "checks": lambda given: GateRules.model_validate(given),
    "bases": BaseModelFile.model_validate,
    "break_glass": lambda given: BreakGlass.model_validate(given["break_glass"]),
    "detectors": lambda given: TypeAdapter(list[OwnerDetector]).validate_python(given["detectors"]),
    "gates": lambda given: GateRules.model_validate(given["gates"]["data"]),
    "teams": lambda given: TypeAdapter(dict[str, Team]).validate_python(given["teams"]),
    **dict.fromkeys(("training", "evaluation", "use_case", "prompts", "data"), of_params),
    **dict.fromkeys(("schedules", "retries", "pools"), Deployments.model_validate),
}
"""What a block of YAML is, by its first key."""


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_in_the_documents_is_right(block: str) -> None:
    filled = re.sub(r"ssh-ed25519 AAAA…", lambda _: public_key(), block)
    document = config.to_plain_value(yaml_text.parse_with_limits(filled, "a block"))
    assert SCHEMAS[next(iter(document))](document)


FILES = {
    "params": Params, "policy": Policy, "people": People, "sources": Sources, "suite": ExpectationSuite,
    "deployments": Deployments,
}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_every_key_of_a_settings_file_has_a_meaning(file: str) -> None:
    known = {section.reference: section for section in schema.list_sections(FILES[file].model_json_schema())}
    keys = [(each.path, *item) for each in known.values() for item in each.schema.get("properties", {}).items()]
    assert [(path, key) for path, key, value in keys if not schema.key_description(value, known)] == []
    assert [each.path for each in known.values() if each.path and not each.schema.get("description")] == []


@pytest.mark.parametrize("block", blocks("python"))
def test_python_in_the_documents_compiles(block: str) -> None:
    compile(block, "a block", "exec")


def test_the_guide_shows_a_source_with_every_required_key_and_no_other() -> None:
    text = (ROOT / "docs" / "guides" / "use-case.md").read_text()
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    document = config.to_plain_value(yaml_text.parse_with_limits(shown, "use-case.md"))
    required = {key for key, field in Source.model_fields.items() if field.is_required()}
    assert document["sources"][0].keys() == required


def test_the_limits_of_a_source_are_documented() -> None:
    told = set(re.findall(r"`(max_\w+)`", (ROOT / "docs" / "reference" / "data-rules.md").read_text()))
    assert {key for key in Source.model_fields if key.startswith("max_")} <= told


INTERNAL = {
    "HALLMARK_SHARED",
    "HALLMARK_STARTED_BY",
    "HALLMARK_BOXED",
    "HALLMARK_KEPT_AT",
    "HALLMARK_LEDGER",
    "HALLMARK_VAULT",
    "HALLMARK_VAULT_SOCKET",
    "HALLMARK_POOLED",
    "HALLMARK_LOG_PROCESS",
    "HALLMARK_LOG_FILE",
    "HALLMARK_LOG_FOREGROUND",
    "HALLMARK_TRAINING",
}
"""What a process says to one that it starts, and beginnings of names."""


def test_every_setting_is_in_the_table_of_variables() -> None:
    named = set[str]()
    for room in ("tasks", "flows", "infra"):
        for path in (ROOT / room).rglob("*.py"):
            constants = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
            if path != Path(settings.__file__):
                named |= {str(c.value) for c in constants if re.fullmatch(r"HALLMARK(_[A-Z]+)+", str(c.value))}
    told = {variable.name for variable in (*settings.RUNNER_VARIABLES, *settings.COMMAND_VARIABLES)}
    assert named - INTERNAL == {variable for variable in told if variable.startswith("HALLMARK_")}


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if "examples" not in path.parts], ids=name)
def test_documents_name_only_settings_that_exist(document: Path) -> None:
    """Of the examples one names a variable of its own for a location."""
    told = {variable.name for variable in (*settings.RUNNER_VARIABLES, *settings.COMMAND_VARIABLES)}
    assert set(re.findall(r"HALLMARK(?:_[A-Z]+)+", text_of(document))) <= told


ROOMS = [path for top in code.TOP_PACKAGES for path in sorted((ROOT / top).rglob("__init__.py"))]


def test_the_map_of_the_code_says_something_of_every_room() -> None:
    told = dict(code.package_summaries())
    shown = {name(path.parent) for path in ROOMS if len(path.parent.relative_to(ROOT).parts) <= code.MAX_DEPTH}
    assert told.keys() == shown and all(told.values())
