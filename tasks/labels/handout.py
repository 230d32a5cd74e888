"""Export of a task file: the items of one annotator, or the disagreements for an adjudicator.

An annotator's file has the rows and gold examples that were assigned to them, in an order of their own, without a sign
of which are gold examples and without the labels of others. An adjudicator's file has the disagreements that nobody has
adjudicated yet, with the different labels in alphabetical order and without a sign of who gave which.
"""

from collections.abc import Callable

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes
from tasks.labels import assignment, entries, pseudonyms
from tasks.labels.forms.table import FORMS
from tasks.labels.forms.task_file import FormError, TaskFile, TaskItem
from tasks.labels.given_labels import GivenLabels
from tasks.labels.label_round import FormName, Handout, Participant
from tasks.labels.round_files import RoundFiles


def annotator_task(files: RoundFiles, annotator: Participant) -> TaskFile:
    items = (TaskItem(item, files.text_of(item)) for item in files.assignment[annotator.pseudonym])
    return _task_file(files, annotator, tuple(items))


def adjudicator_task(files: RoundFiles, adjudicator: Participant, given: GivenLabels) -> TaskFile:
    """Return the queue of an adjudicator.

    Raises:
        InputError: There is no open disagreement.
    """
    queue = assignment.shuffle_items(given.open_disagreements(), files.round.seed, adjudicator.pseudonym)
    if not queue:
        raise InputError(f"round {files.round.id} has no open disagreement; there is nothing to adjudicate")
    items = (TaskItem(item, files.text_of(item), tuple(sorted({*given.rows[item].values()}))) for item in queue)
    return _task_file(files, adjudicator, tuple(items))


def _task_file(files: RoundFiles, reader: Participant, items: tuple[TaskItem, ...]) -> TaskFile:
    said = files.round
    return TaskFile(said.id, reader.pseudonym, said.guideline.mark, tuple(said.labels), items)


def hand_out(
    files: RoundFiles, task: TaskFile, form: FormName, person_id: str, write: Callable[[bytes], object]
) -> None:
    """Write a task file, after the ledger has an entry about it.

    Args:
        files: Files of the round.
        task: Content of the task file.
        form: Form of the file.
        person_id: Person in people.yaml who hands it out.
        write: Function that writes the file.

    Raises:
        InputError: A text cannot be in this form.
        Refused: The round is finished.
    """
    files.require_open()
    try:
        data = FORMS[form].write(task)
    except FormError as error:
        raise InputError(str(error)) from None
    document = Handout(
        round=task.round,
        to=task.annotator,
        form=form,
        time=files.ledger.now(),
        items=len(task.items),
        file_sha256=sha256_bytes(data),
        disagreements=[item.item for item in task.items if item.given],
        salt=pseudonyms.make_salt(),
    )
    with files.locked():
        actor = {"person": person_id} if person_id == files.round.lead else {}
        files.record_document(entries.EXPORTED, document.serialised, {**actor, "form": form})
    write(data)
