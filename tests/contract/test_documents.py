"""The documents name only what exists, and leave nothing out."""

import re
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from infra.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_only_commands_and_options_that_exist(document: Path) -> None:
    known = commands()
    for words in re.findall(r"hallmark ((?:[a-z]+ ?)+[^`\n|]*)", document.read_text()):
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


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.M), f"README names make {target}"
