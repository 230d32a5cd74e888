"""Code that the commands about rounds of labels share: the round, the person who acts, task files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from tasks.core.errors import InputError
from tasks.core.files import write_bytes
from tasks.core.formatting import format_count
from tasks.core.layout import Layout
from tasks.inquiry import access
from tasks.inquiry.access import Access
from tasks.labels import handout, round_files
from tasks.labels.forms.label_studio import labelling_config
from tasks.labels.forms.table import FORMS
from tasks.labels.forms.task_file import TaskFile
from tasks.labels.label_round import FormName
from tasks.labels.round_files import RoundFiles
from tasks.runs.checkout import Checkout
from tasks.runs.run import governance_of_run, require_not_cleaned, run_layout

FILE_MODE = 0o600
"""File mode of task files and results. They have texts about people, so only the owner of the file can read them."""


class FormChoice(StrEnum):
    jsonl = "jsonl"
    xlsx = "xlsx"
    label_studio = "label-studio"


RoundId = Annotated[str, typer.Argument(metavar="ROUND", help="Id of the round, as `hallmark labels status` shows it.")]
FormOption = Annotated[FormChoice, typer.Option("--form", help="Form of the file.")]


def read_round(here: Checkout, round_id: str) -> RoundFiles:
    return round_files.read_round(here.state, here.ledger, round_id)


def layout_of_run(here: Checkout, run: str) -> Layout:
    """Return the layout of the run whose rows are labelled.

    Raises:
        InputError: The run is governed by another folder, whose people the round could not name.
    """
    layout = run_layout(here.root, run)
    require_not_cleaned(layout)
    if governance_of_run(here.root, layout).folder != here.governance.folder:
        raise InputError(f"run {run} is governed by another folder than this checkout; label rows of another run")
    return layout


def access_of_actor(here: Checkout, who: str | None) -> Access:
    """Return the access of the person who acts, whose key signs something first."""
    return access.access_of_signer(here.governance, shared.acting_person(who))


def hand_out_task(
    files: RoundFiles, task: TaskFile, form: FormChoice, target: Path, person_id: str, as_json: bool
) -> None:
    """Write a task file, after the ledger has an entry about it, and print what was written.

    Args:
        files: Files of the round.
        task: Content of the task file.
        form: Form of the file.
        target: File to write. An existing file is replaced if it is of the same form.
        person_id: Person in people.yaml who hands it out.
        as_json: Whether to print one JSON document.
    """
    name: FormName = form.value
    with shared.writable_path(target, FORMS[name].first_bytes) as path:
        handout.hand_out(files, task, name, person_id, lambda data: write_bytes(path, data, mode=FILE_MODE))
    interface = labelling_config(task.labels, task.shows_given) if form == FormChoice.label_studio else None
    if as_json:
        document = {"round": task.round, "file": str(target), "items": len(task.items)}
        shared.print_json(document | {"labelling_interface": interface})
        return
    shared.console.print(f"{target}: {format_count(len(task.items), 'item')} of round {task.round}")
    if interface:
        shared.console.print(f"labelling interface of the project:\n{interface}")
