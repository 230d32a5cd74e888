"""Controls of frameworks that the claims of a dossier are evidence for, from controls.yaml."""

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
    """Identifier of the control, in the framework's spelling."""
    name: str
    """Short name that the framework gives the control."""
    evidence: Annotated[list[Kind], Field(min_length=1)]
    """Kinds of claims that are evidence for the control."""


class Listed(Frozen):
    name: str
    note: str
    """Remark for readers of the list."""
    controls: Annotated[list[Control], Field(min_length=1)]


class Controls(Frozen):
    frameworks: list[Listed]


def load() -> list[Listed]:
    return config.load(PATH, Controls).frameworks


def evidenced(chapters: Iterable[Chapter]) -> list[Framework]:
    """Return every control of every framework, with the numbers of the claims that are evidence for it."""
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
