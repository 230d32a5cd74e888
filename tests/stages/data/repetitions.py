"""Texts that repeat and contradict each other, and what `deduplicate` made of them."""

import random
from datetime import date
from typing import Any

from tests.stages.data.build import Run, record

LONG = "my card was declined at the supermarket this morning although there is enough money on my account"
OTHER = "how do I change the address that you send letters to, I have moved to another town last week"
OLD, NEW = date(2024, 1, 1), date(2025, 3, 1)
ASIDE = {"src": {"contradictions": "put_aside"}}


def rules(run: Run) -> dict[int, tuple[str, int | None]]:
    """Rule and number of the winner, by number of the record."""
    return {
        int(entry["record_id"], 16): (entry["rule"], int(entry["winner"], 16) if entry["winner"] else None)
        for entry in run.records_of("deduplicate", "quarantine")
    }


def clusters(run: Run) -> list[set[int]]:
    found: dict[str, set[int]] = {}
    for item in run.records_of("deduplicate", "clusters"):
        found.setdefault(item["cluster"], set()).add(int(item["record_id"], 16))
    return sorted(found.values(), key=min)


def listed(run: Run) -> set[tuple[int, str, int]]:
    """What stands in conflicts."""
    rows = run.records_of("deduplicate", "conflicts")
    return {(int(row["record_id"], 16), row["rule"], int(row["other"], 16)) for row in rows}


def planted(seed: int, groups: int) -> tuple[list[dict[str, Any]], set[int]]:
    """Records of random words, some with a copy in which one of forty is mistyped; and the numbers of the copies."""
    dice = random.Random(seed)
    words = ["".join(dice.choices("abcdefghijklmnoprstuvw", k=dice.randint(2, 9))) for _ in range(600)]
    records, copies = [], set()
    for number in range(0, 2 * groups, 2):
        text = dice.choices(words, k=40)
        records.append(record(" ".join(text), number=number, effective_from=NEW))
        if dice.random() < 0.3:
            place = dice.choice([n for n, word in enumerate(text) if len(word) > 4])
            text[place] = text[place][:2] + text[place][3] + text[place][2] + text[place][4:]
            records.append(record(" ".join(text), number=number + 1, effective_from=OLD))
            copies.add(number + 1)
    return records, copies
