"""Which controls the claims of a dossier are evidence for: controls.yaml, read once and held against the claims."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tasks.audit.dossier import Chapter, Evidenced, Framework, Kind
from tasks.core import config
from tasks.core.config import Frozen

PATH = Path(__file__).parent / "controls.yaml"


class Control(Frozen):
    id: str
    """As the framework spells it."""
    name: str
    """The framework's own short name."""
    evidence: Annotated[list[Kind], Field(min_length=1)]
    """Kinds of claims that are evidence for it."""


class Listed(Frozen):
    name: str
    note: str
    """What the reader has to know of the list."""
    controls: Annotated[list[Control], Field(min_length=1)]


class Controls(Frozen):
    """controls.yaml."""

    frameworks: list[Listed]


def load() -> list[Listed]:
    return config.load(PATH, Controls).frameworks


def evidenced(chapters: Iterable[Chapter]) -> list[Framework]:
    """Every control with the claims that are evidence for it; with none where there are none."""
    claims = [claim for chapter in chapters for claim in chapter.claims if claim.artifacts]
    return [
        Framework(
            name=listed.name,
            note=listed.note,
            controls=[
                Evidenced(
                    id=control.id,
                    name=control.name,
                    claims=[claim.number for claim in claims if claim.kind in control.evidence],
                )
                for control in listed.controls
            ],
        )
        for listed in load()
    ]
