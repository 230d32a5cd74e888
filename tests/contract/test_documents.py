"""The documents name only what exists, and leave nothing out."""

import ast
import re
import textwrap
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from infra.cli import app
from infra.prefect import settings
from tasks import config, yaml_text
from tasks.govern.sources import Source, Sources

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
ROOMS = [path for room in ("tasks", "flows", "infra") for path in sorted((ROOT / room).rglob("__init__.py"))]
SETTINGS = [ROOT / "params.yaml", *sorted((ROOT / "examples").rglob("params.yaml"))]
"""Their comments name commands too."""


def commands() -> dict[str, typer.core.TyperCommand]:
    """Every command by its words, e.g. "gates approve"."""
    found = {}
    for name, command in get_command(app).commands.items():
        below = getattr(command, "commands", None)
        found |= {f"{name} {sub}": c for sub, c in below.items()} if below else {name: command}
    return found


@pytest.mark.parametrize("name", commands())
def test_the_help_of_every_command_has_an_example(name: str) -> None:
    assert f"Example: hallmark {name}" in (commands()[name].help or "")


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    for name in commands():
        verb, _, sub = name.partition(" ")
        row = next(
            (line for line in text.splitlines() if line.startswith("| `hallmark") and f"hallmark {verb}" in line), ""
        )
        assert row and (not sub or f"`{sub}`" in row), f"README's table of commands lacks `hallmark {name}`"


def documented(document: Path) -> list[str]:
    """What follows `hallmark` wherever a document names it in code, a line continued by a backslash as one."""
    text = re.sub(r"\\\n\s*", "", document.read_text())
    return re.findall(r"hallmark ((?:[a-z]+ ?)+[^`\n|]*)", text)


def lines_to_type(document: Path) -> list[str]:
    """The commands of a document's code blocks, each a line that a reader copies."""
    blocks = re.findall(r"```\n(.*?)```", document.read_text(), re.S)
    lines = re.sub(r"\\\n\s*", "", "".join(blocks)).splitlines()
    return [line.split("hallmark ", 1)[1] for line in lines if re.match(r"\s*(\.venv/bin/)?hallmark [a-z]", line)]


UNASKED = ("--resume", "--root-key", "--record")
"""With one of these a command acts for nobody."""


@pytest.mark.parametrize("document", [*DOCUMENTS, *SETTINGS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_documented_command_names_who_acts(document: Path) -> None:
    """Where the command needs to know; a bare mention in a sentence and what UNASKED holds need not say."""
    known = {name: command for name, command in commands().items() if any("--as" in p.opts for p in command.params)}
    to_type = lines_to_type(document)
    for words in [*to_type, *documented(document)]:
        name = next((name for name in known if f"{words} ".startswith(f"{name} ")), None)
        bare = words.strip() == name and words not in to_type
        if name and not bare and not any(option in words for option in UNASKED):
            assert "--as " in words, f"{document.name}: `hallmark {words}` does not say who acts"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_only_commands_and_options_that_exist(document: Path) -> None:
    known = commands()
    for words in documented(document):
        tokens = words.split()
        name = tokens[0] if tokens[0] in known else " ".join(tokens[:2])
        if tokens[0] not in {n.split()[0] for n in known}:
            continue  # prose that happens to follow the product's name
        if name not in known and len(tokens) == 1:
            continue  # a group of commands
        assert name in known, f"{document.name}: hallmark {words!r} does not exist"
        options = {o for p in known[name].params for o in p.opts}
        for option in re.findall(r"--[a-z-]+", re.split("&&|·", words)[0]):
            assert option in options | {"--help"}, f"{document.name}: hallmark {name} has no {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target} does not exist"


def test_the_examples_show_a_source_with_every_required_key_and_no_other() -> None:
    text = (ROOT / "examples" / "README.md").read_text()
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    document = config.plain(yaml_text.load(textwrap.dedent(shown), "examples/README.md"))
    assert Sources.model_validate(document).sources, "it can be copied as it is"
    required = {name for name, field in Source.model_fields.items() if field.is_required()}
    assert document["sources"][0].keys() == required
    told = set(re.findall(r"`(max_\w+)`", (ROOT / "docs" / "data.md").read_text()))
    assert {name for name in Source.model_fields if name.startswith("max_")} <= told


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.M), f"README names make {target}"


def test_the_settings_that_a_runner_keeps_are_documented_as_such() -> None:
    text = (ROOT / "docs" / "runs.md").read_text()
    kept, read = text.split("| kept by the runner |")[1].split("| read by each command |")
    assert set(re.findall(r"^\| `(\S+)` \|", kept, re.M)) == {*settings.NAMES, f"{settings.PREFIX}*"}
    assert re.findall(r"^\| `(\S+)` \|", read, re.M), "the others stand in a table of their own"


def test_the_readme_names_every_option_of_a_run() -> None:
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `hallmark run`"))
    options = {param.opts[0] for param in commands()["run"].params} - {"--json", "--help"}
    assert options == set(re.findall(r"--[a-z-]+", row))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.parent.relative_to(ROOT).as_posix())
def test_the_tour_of_a_room_names_every_file(room: Path) -> None:
    """Of a room whose docstring lists files; one of a file a verb, or a kind, says that instead."""
    tour = ast.get_docstring(ast.parse(room.read_text())) or ""
    if len(re.findall(r"^ *\w+\.py ", tour, re.M)) < 2:
        return
    files = {path.name for path in room.parent.glob("*.py")} - {room.name}
    rooms = {f"{path.parent.name}/" for path in room.parent.glob("*/__init__.py")}
    assert {name for name in files | rooms if not re.search(rf"(?<!\w){re.escape(name)}", tour)} == set()


def test_the_map_of_the_house_names_every_room() -> None:
    text = (ROOT / "README.md").read_text()
    told = text[text.index("## The map of the house") : text.index("Imports point one way")]
    files = {path.name for path in (ROOT / "tasks").glob("*.py")} - {"__init__.py", "__main__.py"}
    rooms = {f"{path.parent.name}/" for top in ("tasks", "infra") for path in (ROOT / top).glob("*/__init__.py")}
    assert {name for name in files | rooms if not re.search(rf"(?<!\w){re.escape(name)}", told)} == set()
