"""Controls of frameworks that the claims of a dossier are evidence for, from controls.yaml."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tasks.audit.dossier import Chapter, Evidenced, Framework, Kind
from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel

PATH = Path(__file__).parent / "controls.yaml"


class Control(FrozenModel):
    id: str
    """Identifier of the control, as the framework writes it."""
    name: str
    evidence: Annotated[list[Kind], Field(min_length=1)]
    """Kinds of claims that are evidence for the control."""


class FrameworkControls(FrozenModel):
    name: str
    note: str
    controls: Annotated[list[Control], Field(min_length=1)]


class ControlsFile(FrozenModel):
    frameworks: list[FrameworkControls]


def load() -> list[FrameworkControls]:
    return config.load(PATH, ControlsFile).frameworks


def evidence_by_control(chapters: Iterable[Chapter]) -> list[Framework]:
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
