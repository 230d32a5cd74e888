"""Controls of compliance frameworks, from controls.yaml, with the kinds of claims that are evidence for them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tasks.audit.dossier import Chapter, ClaimKind, ControlEvidence, Framework
from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel

CONTROLS_PATH = Path(__file__).parent / "controls.yaml"


class Control(FrozenModel):
    id: str
    """Identifier of the control, as the framework writes it."""
    name: str
    evidence: Annotated[list[ClaimKind], Field(min_length=1)]
    """Kinds of claims that are evidence for the control."""


class FrameworkControls(FrozenModel):
    name: str
    note: str
    controls: Annotated[list[Control], Field(min_length=1)]


class ControlsFile(FrozenModel):
    frameworks: list[FrameworkControls]


def load_controls() -> list[FrameworkControls]:
    return config.load_settings(CONTROLS_PATH, ControlsFile).frameworks


def evidence_by_control(chapters: Iterable[Chapter]) -> list[Framework]:
    claims = [claim for chapter in chapters for claim in chapter.claims if claim.artifacts]
    return [
        Framework(
            name=listed.name,
            note=listed.note,
            controls=[
                ControlEvidence(
                    id=control.id,
                    name=control.name,
                    claims=[claim.number for claim in claims if claim.kind in control.evidence],
                )
                for control in listed.controls
            ],
        )
        for listed in load_controls()
    ]
