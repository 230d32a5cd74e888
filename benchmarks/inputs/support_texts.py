"""Support messages for benchmarks, up to millions: English and German, a third with personal data, with copies.

A message is a sentence about a matter and some everyday words of its language, so that no two messages are
near-duplicates by chance. 3 % of the messages repeat an earlier one, and 8 % repeat one with one word changed.

    python benchmarks/inputs/support_texts.py FOLDER --rows 10000     writes tickets.csv, chats.jsonl and emails.parquet
"""

import argparse
import csv
import json
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from faker.providers.lorem.de_DE import Provider as GermanWords
from faker.providers.lorem.en_US import Provider as EnglishWords

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the planted sentences are those of the tests

from tests.stages.data.recognise.planted import CLEAN, ENGLISH, planted  # noqa: E402

PERSONAL, SAME, CHANGED = 1 / 3, 0.03, 0.08
"""Shares of messages with personal data, of exact copies, and of copies with one word changed."""
FILLINGS = 200
"""Number of times that each sentence with personal data is filled, with other values each time."""
MAX_ORIGINALS = 50_000
"""Maximum number of messages that later ones may repeat."""
LANGUAGES = ("en", "de")
WORDS = {"en": EnglishWords.word_list, "de": GermanWords.word_list}
MATTERS = {
    "en": [
        "The app closes as soon as I open my statement.",
        "The transfer of {amount} euros from the {day}th has not arrived.",
        "You charged me {amount} euros twice and I want it back.",
        "How long does a new card take to arrive?",
        "I want to close my account at the end of the month.",
        "What is the rate for a loan of {amount} euros?",
    ],
    "de": [
        "Die App stürzt ab, sobald ich meinen Auszug öffne.",
        "Die Überweisung über {amount} Euro vom {day}. ist nicht angekommen.",
        "Sie haben mir {amount} Euro doppelt berechnet, bitte zurück.",
        "Wie lange dauert es, bis eine neue Karte kommt?",
        "Ich möchte mein Konto zum Monatsende schließen.",
        "Welchen Zins gibt es für einen Kredit über {amount} Euro?",
    ],
}
TRIAGE = [
    (intent, queue, action)
    for intent, queue in [("card_lost", "cards"), ("fees", "accounts"), ("login", "security"), ("loan_rates", "loans")]
    for action in ("answer", "clarify", "escalate")
]
SOURCES = {"tickets": 0.5, "chats": 0.3, "emails": 0.2}
"""Share of the messages in each source."""
EMAILS = ["eingang", "abteilung", "sprache", "nachricht", "anliegen", "warteschlange", "aktion", "bearbeitet_von"]
TICKETS = ["ticket_id", "opened", "department", "language", "message", "intent", "queue", "action", "labelled_by"]


def messages(seed: int) -> Iterator[dict[str, Any]]:
    """Yield messages without end; the same seed gives the same messages."""
    dice, personal, known = random.Random(seed), _personal(seed), list[dict[str, Any]]()
    while True:
        drawn = dice.random()
        if known and drawn < SAME + CHANGED:
            message = dice.choice(known)
            yield message if drawn < SAME else message | {"text": _changed(dice, message)}
            continue
        language = dice.choice(LANGUAGES)
        matter = dice.choice(personal[language] if dice.random() < PERSONAL else MATTERS[language])
        matter = matter.replace("{amount}", str(dice.randint(20, 9_000))).replace("{day}", str(dice.randint(4, 30)))
        words = dice.choices(WORDS[language], k=dice.randint(8, 24))
        intent, queue, action = dice.choice(TRIAGE)
        message = {"text": f"{matter} {' '.join(words).capitalize()}.", "language": language, "intent": intent}
        message |= {"queue": queue, "action": action, "day": date(2025, 1, 6) + timedelta(dice.randrange(180))}
        if len(known) < MAX_ORIGINALS:
            known.append(message)
        yield message


def _personal(seed: int) -> dict[str, list[str]]:
    texts = [case.text for case in planted(FILLINGS, seed)][len(CLEAN.strip().splitlines()) * FILLINGS :]
    english, both = len(ENGLISH.strip().splitlines()), len(texts) // FILLINGS
    return {
        "en": [text for place, text in enumerate(texts) if place % both < english],
        "de": [text for place, text in enumerate(texts) if place % both >= english],
    }


def _changed(dice: random.Random, message: dict[str, Any]) -> str:
    words = message["text"].split(" ")
    words[dice.randrange(len(words))] = dice.choice(WORDS[message["language"]])
    return " ".join(words)


def write(folder: Path, rows: int, seed: int) -> None:
    """Write the three sources as infra/governance/sources.yaml maps them, but with e-mails as Parquet."""
    stream = messages(seed)
    parts = {name: islice(stream, round(rows * share)) for name, share in SOURCES.items()}
    with ExitStack() as stack:
        tickets = csv.writer(stack.enter_context((folder / "tickets.csv").open("w", newline="", encoding="utf-8")))
        tickets.writerow(TICKETS)
        for number, message in enumerate(parts["tickets"], start=1):
            tickets.writerow(
                [f"T-{number:07}", message["day"], "cards", message["language"], message["text"], *_rest(message)]
            )
        chats = stack.enter_context((folder / "chats.jsonl").open("w", encoding="utf-8"))
        for message in parts["chats"]:
            chats.write(json.dumps(_chat(message)) + "\n")
        emails = stack.enter_context(
            pq.ParquetWriter(folder / "emails.parquet", pa.schema(dict.fromkeys(EMAILS, pa.string())))
        )
        while some := list(islice(parts["emails"], 50_000)):
            lines = [
                [message["day"].isoformat(), "cards", message["language"], message["text"], *_rest(message)]
                for message in some
            ]
            emails.write_table(pa.table(dict(zip(EMAILS, zip(*lines, strict=True), strict=True))))


def _rest(message: dict[str, Any]) -> list[str]:
    return [message["intent"], message["queue"], message["action"], "triage-desk-1"]


def _chat(message: dict[str, Any]) -> dict[str, Any]:
    answer = json.dumps({name: message[name] for name in ("intent", "queue", "action")})
    turns = ["hello", "Hello, what can I do for you?", message["text"], answer]
    roles = ("user", "assistant", "user", "assistant")
    return {
        "turns": [{"role": role, "content": content} for role, content in zip(roles, turns, strict=True)],
        "outcome": message["action"], "lang": message["language"], "team": "cards",
        "started": message["day"].isoformat(), "labelled_by": "triage-desk-1",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write(args.folder, args.rows, args.seed)


if __name__ == "__main__":
    main()
