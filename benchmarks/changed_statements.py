"""Losses of `deduplicate` among statements that differ in one fact, and its recall of copies.

    python benchmarks/changed_statements.py [--pairs 1000] [--seed 11] [--out FILE] [--quick]

English statements are sentences of the licences in /usr/share/common-licenses. German ones are the messages of programs
in /usr/share/locale/de. If a machine has neither, they are sentences of this repository's LICENSE. None were written
with deduplication in mind. The other statements come from templates in this file. One number, date, unit, negation,
modal verb, name or version of each statement is changed. The rules and words of these changes are those of this file
and are not taken from the code.

Changed: original and copy have the same target. A statement is lost if the stage removes it and it is not in
conflicts.parquet, where its owner would see it. Answers: one question with two or three answers, without dates. Losses
are counted in the same way, and so are quarantined records. Anew: copies with typing errors, greetings, thanks, other
case and spacing. A copy is found if the stage keeps one of the two.
"""

import argparse
import gettext
import json
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # records are built as the tests build them
LICENCES = Path("/usr/share/common-licenses")
MESSAGES = Path("/usr/share/locale/de/LC_MESSAGES")
WORDS = range(9, 60)
Dice = random.Random
Change = Callable[[Dice, str], str | None]

TEMPLATES = """
A parcel of up to {n} {weight} may be handed in at the {place} counter until {clock}.
Refunds above {n} {money} must be approved by {person} before they are paid out.
The {product} gateway supports protocol version {n}.{m} and nothing older than that.
Visitors from {place} have to register {n} {time} ahead and are not allowed to enter the {product} laboratory.
The interest on the savings account was {n}.{m} % on {day} {month} {year} and was paid to {person}.
Every request that {person} sends to the {place} office is answered within {n} {time}.
The contract of {day} {month} {year} ends after {n} {time} unless {product} is renewed.
Backups of {product} are kept for {n} {time} and can be restored by {person} alone.
Das Paket für {place} darf bis zu {n} {weight_de} wiegen und wird von {person} abgeholt.
Die Frist für den Widerspruch beträgt {n} {time_de} und beginnt am {day}. {month_de} {year}.
Beträge über {n} {money} muss {person} freigeben, bevor sie ausgezahlt werden.
Der Vertrag über {product} endet nach {n} {time_de} und verlängert sich nicht von selbst.
Auszüge von {product} können {n} {time_de} lang in {place} eingesehen werden.
Ab Fassung {n}.{m} wird {product} in {place} ohne Aufpreis ausgeliefert.
"""
SLOTS = {
    "weight": ["kg", "lb", "grams", "ounces", "tonnes"],
    "weight_de": ["kg", "Gramm", "Pfund", "Zentner"],
    "money": ["EUR", "USD", "CHF", "GBP", "euros", "dollars"],
    "time": ["minutes", "hours", "days", "weeks", "months", "years"],
    "time_de": ["Stunden", "Tage", "Wochen", "Monate", "Jahre"],
    "place": ["Lisbon", "Uppsala", "Gdansk", "Turin", "Leipzig", "Graz", "Bergen", "Basel"],
    "person": ["Ines Falk", "Ida Falk", "Jon Berg", "Jan Berg", "Olga Petrov", "Olga Petrow", "Mr Stone", "Ms Stone"],
    "product": ["Kestrel", "Kestrex", "Nimbus", "Nimbex", "Aurora", "Auroro", "TurboLedger", "TurboLodger"],
    "month": ["January", "March", "June", "July", "September", "November"],
    "month_de": ["Januar", "März", "Juni", "Juli", "September", "November"],
    "clock": ["6 pm", "5 pm", "18:30", "17:30", "noon"],
}
SLOT = re.compile(r"\{(\w+)\}")
SPELLED = ("two", "three", "four", "five", "seven", "eight", "ten", "twelve", "twenty", "thirty", "sixty", "ninety")
MODALS = ("may", "must", "shall", "should", "can", "will", "might")
MODALS_DE = ("kann", "muss", "darf", "soll", "können", "müssen", "dürfen", "sollen")
NAMES = ("Foundation", "Corporation", "Institute", "Berkeley", "Massachusetts", "Apache", "Mozilla", "Affero", "Perl")


def filled_template(dice: Dice, template: str) -> tuple[str, str, str]:
    """Return a template with its slots filled twice, and the name of the only slot that differs."""
    slots = SLOT.findall(template)
    changed = dice.randrange(len(slots))
    first, second = [_drawn(dice, slot) for slot in slots], list[str]()
    for place, slot in enumerate(slots):
        other = first[place]
        while place == changed and other == first[place]:
            other = _drawn(dice, slot)
        second.append(other)
    before, after = (_put(template, values) for values in (first, second))
    return before, after, slots[changed].removesuffix("_de")


def _drawn(dice: Dice, slot: str) -> str:
    if slot in SLOTS:
        return dice.choice(SLOTS[slot])
    low, high = {"year": (2019, 2029), "day": (1, 28), "n": (2, 120), "m": (0, 9)}[slot]
    return str(dice.randint(low, high))


def _put(template: str, values: list[str]) -> str:
    left = iter(values)
    return SLOT.sub(lambda _: next(left), template)


def number(dice: Dice, text: str) -> str | None:
    return _swap(dice, text, r"(?<![\w.])\d+(?![\w.]*\w)", lambda old: str(int(old) + dice.choice([1, 2, 7, 10, 30])))


def number_word(dice: Dice, text: str) -> str | None:
    return _swap(dice, text, rf"\b(?:{'|'.join(SPELLED)})\b", lambda old: dice.choice([n for n in SPELLED if n != old]))


def deny(dice: Dice, text: str) -> str | None:
    """Add or remove the negation of a verb."""
    affirmed = _swap(dice, text, r"\b(?:not|nicht) ", lambda _: "")
    verbs = {"may": "not", "must": "not", "is": "not", "are": "not", "will": "not", "wird": "nicht", "ist": "nicht"}
    denied = _swap(dice, text, rf"\b(?:{'|'.join(verbs)})\b", lambda old: f"{old} {verbs[old]}")
    return affirmed or denied


def other_negation(dice: Dice, text: str) -> str | None:
    pairs = {"with": "without", "without": "with", "mit": "ohne", "ohne": "mit", "any": "no", "eine": "keine",
             "ein": "kein", "permitted": "prohibited", "valid": "invalid", "always": "never"}  # fmt: skip
    return _swap(dice, text, rf"\b(?:{'|'.join(pairs)})\b", lambda old: pairs[old])


def modal(dice: Dice, text: str) -> str | None:
    for words in (MODALS, MODALS_DE):
        pattern = rf"\b(?:{'|'.join(words)})\b"
        if changed := _swap(dice, text, pattern, lambda old, w=words: dice.choice([word for word in w if word != old])):
            return changed
    return None


def name(dice: Dice, text: str) -> str | None:
    return _swap(dice, text, rf"\b(?:{'|'.join(NAMES)})\b", lambda old: dice.choice([n for n in NAMES if n != old]))


def _swap(dice: Dice, text: str, pattern: str, new: Callable[[str], str]) -> str | None:
    matches = list(re.finditer(pattern, text))
    if not matches:
        return None
    match = dice.choice(matches)
    return text[: match.start()] + new(match.group()) + text[match.end() :]


CHANGES: dict[str, Change] = {
    "number": number, "number in letters": number_word, "not": deny, "other negation": other_negation,
    "modal verb": modal,
    "name": name,
}  # fmt: skip


def statements() -> list[str]:
    texts = [path.read_text(errors="replace") for path in sorted(LICENCES.glob("*")) if not path.is_symlink()]
    english = [sentence for text in texts or [(ROOT / "LICENSE").read_text()] for sentence in _sentences(text)]
    german = [message for path in sorted(MESSAGES.glob("*.mo")) for message in _messages(path)]
    by_letters = {"".join(filter(str.isalnum, text.casefold())): text for text in english + german}
    return [text for _, text in sorted(by_letters.items())]


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.;])\s+(?=[A-Z(])", " ".join(paragraph.split())):
            if len(sentence.split()) in WORDS:
                yield sentence


def _messages(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        known = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    for message in known.values():
        plain = " ".join(message.split())
        if len(plain.split()) in WORDS and not set("%<{\\") & set(plain):
            yield plain


def changed(dice: Dice, texts: list[str], count: int) -> Iterator[tuple[str, str, str]]:
    """Yield pairs that differ in one fact, with the kind of fact: half of them real statements, half from templates."""
    templates, kinds = TEMPLATES.strip().splitlines(), list(CHANGES)
    pool, made, drawn = dice.sample(texts, len(texts)), 0, set[str]()
    for place, text in enumerate(pool):
        kind = next((k for k in kinds[place % len(kinds) :] + kinds if CHANGES[k](dice, text)), None)
        if made < count // 2 and kind and (other := CHANGES[kind](dice, text)) and other != text:
            made += 1
            yield text, other, kind
    while made < count:
        before, after, kind = filled_template(dice, dice.choice(templates))
        if not {before, after} & drawn:
            drawn |= {before, after}
            made += 1
            yield before, after, f"template: {kind}"


GREETINGS = ["Hello,", "Hi there,", "Good morning,", "Dear Sir or Madam,", "Hallo,", "Guten Tag,", "Hey,", "Hi!",
             "Sehr geehrte Damen und Herren,", "Dear team,"]  # fmt: skip
THANKS = ["Thanks!", "Many thanks in advance", "Kind regards", "Thank you.", "Vielen Dank!", "Danke", "Best regards",
          "Mit freundlichen Grüßen", "MfG", "Cheers"]  # fmt: skip
NEXT = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertzuiopqsdfghjklaxcvbnmy", strict=True))


def with_typing_errors(dice: Dice, text: str) -> str:
    """Add a typing error for about every 120 characters."""
    for _ in range(1 + len(text) // 120):
        words = [match for match in re.finditer(r"[^\W\d_]{4,}", text) if not match.group().isupper()]
        if not words:
            return text
        word = dice.choice(words)
        at = dice.randrange(word.start() + 1, word.end() - 1)
        letter, after = text[at], text[at + 1]
        new = dice.choice([after, letter + letter + after, after + letter, NEXT.get(letter, letter) + after])
        text = text[:at] + new + text[at + 2 :]
    return text


def rewritten(dice: Dice, text: str) -> tuple[str, str]:
    """Return the statement as another person would write it, and the kind of change."""
    kind = dice.choice(["typing", "typing", "greeting", "both", "case and spacing"])
    if kind in ("typing", "both"):
        text = with_typing_errors(dice, text)
    if kind in ("greeting", "both"):
        text = dice.choice([f"{dice.choice(GREETINGS)} {text}", f"{text} {dice.choice(THANKS)}"])
    if kind == "case and spacing":
        text = dice.choice([text.upper(), text.lower(), text.replace(" ", "  "), text.rstrip(".") + " !!"])
    return text, kind


def deduplicated(texts: list[tuple[str, str]], **data: Any) -> tuple[set[int], set[int]]:
    """Run the stage on pairs of prompt and target.

    Returns:
        Indexes of the records that the stage removes, and of those in conflicts.parquet, which their owners see.
    """
    from tests.stages.data.build import Run, record

    records = [record(text, target, place) for place, (text, target) in enumerate(texts)]
    records.append(record("something else altogether, so that one record is left", "yes", len(texts)))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        run.deduplicate(random.Random(1).sample(records, len(records)), near_duplicates=data or {"jaccard": 0.85})
        kept = {int(item["record_id"], 16) for item in run.records_of("deduplicate")}
        shown = run.records_of("deduplicate", "conflicts")
    return set(range(len(texts))) - kept, {int(row[end], 16) for row in shown for end in ("record_id", "other")}


def lost(pairs: list[tuple[str, str, str]]) -> dict[str, list[int]]:
    """Return the number of pairs, and of those with a lost record, by kind of change."""
    gone, shown = deduplicated([(text, "yes") for before, after, _ in pairs for text in (before, after)])
    silent = gone - shown
    return tally([kind for _, _, kind in pairs], silent)


def tally(kinds: list[str], gone: set[int]) -> dict[str, list[int]]:
    """Return the number of pairs, and of those with a text in `gone`, by kind and for all."""
    counted: dict[str, list[int]] = {}
    for place, kind in enumerate(kinds):
        for key in (kind, "all"):
            counts = counted.setdefault(key, [0, 0])
            counts[0] += 1
            counts[1] += bool({2 * place, 2 * place + 1} & gone)
    return counted


def answers(dice: Dice, texts: list[str], count: int) -> dict[str, int]:
    """Return the figures of questions with two answers, without dates."""
    asked = [f"Is this so: {text}" for text in dice.sample(texts, min(count, len(texts)))]
    rows = [(q, a) for q in asked for a in dice.sample(["Yes, it is", "No, it is not", "Only on request"], 2)]
    gone, shown = deduplicated(rows)
    return {"answers": len(rows), "go": len(gone), "in silence": len(gone - shown), "shown": len(shown)}


def layouts(dice: Dice, texts: list[str], count: int) -> dict[str, int]:
    """Return the figures of equal answers in different notations."""
    forms = [("Yes", "Yes."), ("yes", "YES"), ('{"a": 1, "b": "x"}', '{"b":"x","a":1}'), ("a  b", "a b ")]
    rows = [(text, answer) for text in dice.sample(texts, min(count, len(texts))) for answer in dice.choice(forms)]
    gone, shown = deduplicated(rows)
    return {"pairs": len(rows) // 2, "both kept or both gone": len(rows) // 2 - len(gone), "contradictions": len(shown)}


def copies(dice: Dice, texts: list[str], count: int) -> dict[str, list[int]]:
    """Return the number of copies, and of those that were found, by kind."""
    made = [(text, *rewritten(dice, text)) for text in dice.sample(texts, min(count, len(texts)))]
    gone, _ = deduplicated([(text, "yes") for first, second, _ in made for text in (first, second)])
    return tally([kind for _, _, kind in made], gone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="the LICENSE of this repository alone, 60 pairs")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "changed_statements.json")
    given = parser.parse_args()
    dice = random.Random(given.seed)
    texts = sorted(set(_sentences((ROOT / "LICENSE").read_text()))) if given.quick else statements()
    count = 60 if given.quick else given.pairs
    print(f"{len(texts):,} statements, seed {given.seed}, {date.today()}")
    figures = {
        "changed": lost(list(changed(dice, texts, count))), "answers": answers(dice, texts, count // 4),
        "layouts": layouts(dice, texts, count // 4), "anew": copies(dice, texts, count),
    }  # fmt: skip
    print("\n| one thing changed | pairs | lost in silence |\n|---|---|---|")
    for kind, (pairs, gone) in figures["changed"].items():
        print(f"| {kind} | {pairs:,} | {gone:,} |")
    print("\n| written anew | copies | found |\n|---|---|---|")
    for kind, (pairs, gone) in figures["anew"].items():
        print(f"| {kind} | {pairs:,} | {gone / pairs:.3f} |")
    for name_ in ("answers", "layouts"):
        print(f"\n{name_}: " + ", ".join(f"{what} {n:,}" for what, n in figures[name_].items()))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"seed": given.seed, "pairs": count, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
