"""The three files and their formats, each as the system exports it into which the messages were written."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from random import Random

from examples.support_triage.cases import Case, Triage
from examples.support_triage.compose import Composer, Turn
from examples.support_triage.marks import Values, unmark

FIRST_DAY, DAYS = date(2025, 1, 6), 180


@dataclass(frozen=True)
class Row:
    """Message with its triage, before it gets the format of a source."""

    number: int
    day: date
    case: Case
    turns: tuple[Turn, ...]
    """Turns of the customer, and in chats of the agent, without the triage."""
    desk: str
    values: Values = ()
    """Values in the turns that are about a person or secret."""
    planted: bool = False
    """Whether such a value was planted."""
    withdrawn: date | None = None
    """Day on which the desk withdrew its triage; None if it did not."""

    @property
    def text(self) -> str:
        return self.turns[-1]["content"]


@dataclass(frozen=True)
class Source:
    id: str
    file: str
    encoding: str
    share: float
    """Share of all rows."""
    header: str
    """First line of the file; empty if there is none."""
    line: Callable[[Row], str]
    compose: Callable[[Composer, Random, Case], Sequence[Turn]]


def row(number: int, rng: Random, case: Case, turns: Sequence[Turn], planted: bool) -> Row:
    """Return a row with a random day and desk. The turns have the marks of `marks`."""
    day = FIRST_DAY + timedelta(days=rng.randrange(DAYS))
    texts = [unmark(turn["content"]) for turn in turns]
    plain = tuple(turn | {"content": text} for turn, (text, _) in zip(turns, texts, strict=True))
    values = tuple(value for _, marked in texts for value in marked)
    return Row(number, day, case, plain, f"triage-desk-{rng.randint(1, 4)}", values, planted)


def target_text(triage: Triage) -> str:
    """Return the target as the model should write it."""
    return json.dumps({"intent": triage.intent, "queue": triage.queue, "action": triage.action})


def _csv_line(values: Sequence[object], delimiter: str = ",", end: str = "\n") -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerow(values)
    return buffer.getvalue()


def _ticket(row: Row) -> str:
    case = row.case
    name = f"T-{row.number:05}"
    about = [name, row.day, row.withdrawn, case.department, case.language]
    return _csv_line([*about, row.text, *astuple(case.triage), row.desk])


def _chat(row: Row) -> str:
    case = row.case
    turns = [*row.turns, {"role": "assistant", "content": target_text(case.triage)}]
    document = {
        "chat_id": f"C-{row.number:05}",
        "started": row.day.isoformat(),
        "withdrawn": row.withdrawn and row.withdrawn.isoformat(),
        "lang": case.language,
        "team": case.department,
        "turns": turns,
        "outcome": case.triage.action,
        "labelled_by": row.desk,
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def _email(row: Row) -> str:
    case = row.case
    values = [row.day, row.withdrawn, case.department, case.language, row.text, *astuple(case.triage), row.desk]
    return _csv_line(values, delimiter=";", end="\r\n")


def _message(text: str) -> list[Turn]:
    return [{"role": "user", "content": text}]


SOURCES = (
    Source(
        id="tickets",
        file="tickets.csv",
        encoding="utf-8",
        share=0.45,
        header="ticket_id,opened,withdrawn,department,language,message,intent,queue,action,labelled_by\n",
        line=_ticket,
        compose=lambda composer, rng, case: _message(composer.ticket(rng, case)),
    ),
    Source(
        id="chats",
        file="chats.jsonl",
        encoding="utf-8",
        share=0.28,
        header="",
        line=_chat,
        compose=lambda composer, rng, case: composer.chat(rng, case),
    ),
    Source(
        id="emails",
        file="emails.csv",
        encoding="windows-1252",
        share=0.27,
        header="eingang;zurueckgezogen;abteilung;sprache;nachricht;anliegen;warteschlange;aktion;bearbeitet_von\r\n",
        line=_email,
        compose=lambda composer, rng, case: _message(composer.email(rng, case)),
    ),
)
