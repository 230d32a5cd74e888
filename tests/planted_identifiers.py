"""Two sources with planted identifiers, each value once: in texts, labels, unmapped columns and broken rows.

`PLACES` and `LINES` are the places for values outside of texts, from which a stage must never write a value. Values in
texts are found as far as recognisers find them.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.stages.data.protect.recognisers import detector
from tests.byte_search import SHORTEST, bare
from tests.stages.data.recognise import planted
from tests.stages.data.recognise.planted import CATEGORY, GAP, Values

SEARCHED = ("name", "email", "phone", "iban", "card", "account", "identity", "medical", "credential")
"""Classes whose values are distinctive enough for a search; first names, dates of birth and illnesses are not."""
COLUMNS = (
    *("text", "intent", "queue", "kind", "opened", "until", "department", "area", "language", "tags", "by", "side"),
    "customer",
)
"""Columns of the CSV source, to which `make` adds one; neither that one nor `customer` is mapped."""
CSV_MAPPING: dict[str, Any] = {
    "prompt": "text", "response": {"intent": "intent", "queue": "queue"}, "kind": "kind", "effective_from": "opened",
    "retired_at": "until", "department": "department", "geography": "area", "language": "language",
    "policy_tags": "tags", "labelled_by": "by", "split": "side",
}  # fmt: skip
CSV_LABELS = {"department": ["cards", "loans"], "geography": ["eu"], "language": ["en"], "policy_tags": ["vip"]}
JSONL_MAPPING: dict[str, Any] = {
    "messages": "turns", "department": "team", "policy_tags": "tags", "labelled_by": "by", "language": "lang",
    "geography": "region",
}  # fmt: skip
TERM = "Halcyon"
"""Internal name; records that contain it are dropped."""
TERMS = {"internal_only": [TERM]}
ROW = {
    "intent": "card_lost", "queue": "cards", "kind": "answer", "opened": "2025-06-01", "until": "",
    "department": "cards", "area": "eu", "language": "en", "tags": "vip", "by": "desk 1", "side": "", "customer": "",
}  # fmt: skip
PLACES = {
    **{
        column: {column: "{}"}
        for column in ("department", "area", "language", "by", "kind", "side", "opened", "until", "customer")
    },
    "tags": {"tags": "vip;{}"},
    "dropped": {"text": f"{TERM} was mentioned to {{}} on the phone"},
    "retired": {"text": "Please write to {} about it", "until": "2020-01-01"},
    "past retention": {"text": "Please write to {} about it", "opened": "1990-01-01"},
    "without target": {"text": "Please write to {} about it", "intent": ""},
}
"""Columns of the CSV source with a value that is in no text of a record, by place; other columns are as in ROW."""
BROKEN = {
    "row of too many fields": "{text},{value},one,field,too,many",
    "row with a stray quote": '{text},"stray "{value}" quote",x',
}
"""Malformed lines of the CSV source."""
REST = '"by": "desk 1", "team": "cards", "lang": "en"'
LINES = {
    "unread field": f'{{"turns": [TURNS], {REST}, "email": "VALUE"}}',
    "name of an unread field": f'{{"turns": [TURNS], {REST}, "VALUE": 1}}',
    "labelled_by": '{"turns": [TURNS], "by": "VALUE", "team": "cards", "lang": "en"}',
    "label without a list": '{"turns": [TURNS], "by": "desk 1", "team": "VALUE", "lang": "en"}',
    "tag without a list": f'{{"turns": [TURNS], {REST}, "tags": ["vip", "VALUE"]}}',
    "system turn": f'{{"turns": [{{"role": "system", "content": "VALUE"}}, TURNS], {REST}}}',
    "role": '{"turns": [{"role": "VALUE", "content": "x"}], "by": "desk 1"}',
    "turn that is no text": '{"turns": [{"role": "user", "content": {"said": "VALUE"}}], "by": "desk 1"}',
    "turns that are none": '{"turns": "VALUE", "by": "desk 1"}',
    "field that stands twice": '{"turns": [TURNS], "by": "desk 1", "by": "VALUE"}',
    "line that is no object": '["VALUE"]',
    "line that is no JSON": '{"turns": VALUE, "by": }',
}
"""Lines of the JSON Lines source with a value that is in no text of a record, by place."""
UNLISTED = "lower-case name in a region's place"
"""Only place outside of texts where a value remains: without a list in sources.yaml it cannot be told from a town."""


@dataclass(frozen=True)
class Identifier:
    value: str
    category: str
    place: str
    """Place of the value; `text` if a recogniser has to find it."""
    text: str = ""
    """Text with the value, if the place is `text`."""


class Unique(Values):
    """Values of one locale, none of which contains another or occurs by chance."""

    def __init__(self, locale: str, seed: int, taken: set[bytes]) -> None:
        super().__init__(locale, seed)
        self.taken = taken

    def make(self, gap: str) -> str:
        if CATEGORY.get(gap, gap) not in SEARCHED or gap in CATEGORY:
            return super().make(gap)
        while True:
            value = super().make(gap)
            plain = bare(value.encode("ascii", "ignore"))
            if len(plain) >= SHORTEST and not any(plain in other or other in plain for other in self.taken):
                self.taken.add(plain)
                return value

    def medical(self) -> str:
        return self._digits(10)

    def account(self) -> str:
        return self._digits(11)


@dataclass
class Sources:
    """Contents of both sources, and the identifiers in them."""

    messages: bytes
    """CSV with COLUMNS and one more, whose name contains a person's name."""
    chats: bytes
    """JSON Lines with `turns`, `team`, `tags`, `lang`, `by`."""
    identifiers: list[Identifier] = field(default_factory=list)


def make(each: int, seed: int, rows: int = 60) -> Sources:
    """Return sources with every template and every place `each` times, and `rows` rows without identifiers."""
    values = [Unique(locale, seed, taken) for taken in [set()] for locale in ("en_US", "en_GB", "de_DE")]
    identifiers: list[Identifier] = []
    texts = list(_texts(each, values, identifiers))
    header = values[0].make("name")
    identifiers.append(Identifier(header, "name", "a column's name"))
    messages = _csv(texts[::2], rows, each, values[0], header, identifiers)
    return Sources(messages, _jsonl(texts[1::2], rows, each, values[1], identifiers), identifiers)


def _texts(each: int, values: list[Unique], identifiers: list[Identifier]) -> Iterator[str]:
    """Yield texts from templates that were not used when the recognisers' rules were written."""
    english, german = planted.ENGLISH.strip().splitlines(), planted.GERMAN.strip().splitlines()
    for turn in range(each):
        for template in (*english, *german):
            fill = values[2] if template in german else values[turn % 2]
            made = [(gap, fill.make(gap)) for gap in GAP.findall(template)]
            text = GAP.sub("{}", template).format(*(value for _, value in made))
            identifiers += [Identifier(value, gap, "text", text) for gap, value in made if gap in SEARCHED]
            yield text


def _planted(place: str, each: int, values: Unique, identifiers: list[Identifier]) -> Iterator[str]:
    """Yield values of every class in SEARCHED, and note each as an identifier at `place`."""
    for category in SEARCHED * each:
        value = values.make(category)
        identifiers.append(Identifier(value, category, place))
        yield value


def _csv(texts: list[str], rows: int, each: int, values: Unique, header: str, identifiers: list[Identifier]) -> bytes:
    target = io.StringIO()
    writer = csv.DictWriter(target, [*COLUMNS, f"notes of {header}"], lineterminator="\n", restval="")
    writer.writeheader()
    for number in range(rows):
        intent, queue = (("card_lost", "cards"), ("loan_question", "loans"))[number % 2]
        text = f"What is the fee of plan {number} for {intent.replace('_', ' ')}"
        writer.writerow(ROW | {"text": text, "intent": intent, "queue": queue, "department": queue})
    writer.writerows(ROW | {"text": text} for text in texts)
    for place, columns in PLACES.items():
        for value in _planted(place, each, values, identifiers):
            changes = {column: template.format(value) for column, template in columns.items()}
            writer.writerow(ROW | {"text": f"A question about {place} number {len(identifiers)}"} | changes)
    for place, line in BROKEN.items():
        for value in _planted(place, each, values, identifiers):
            target.write(line.format(text="A question", value=value.replace(",", " ")) + "\n")
    return target.getvalue().encode()


def _jsonl(texts: list[str], rows: int, each: int, values: Unique, identifiers: list[Identifier]) -> bytes:
    def turns(text: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": text}, {"role": "assistant", "content": '{"intent": "other"}'}]

    plain = {"by": "desk 1", "team": "cards", "tags": ["vip"], "lang": "en"}
    whole = [f"How long does transfer {number} take" for number in range(rows)] + texts
    lines = [json.dumps({"turns": turns(text)} | plain, ensure_ascii=bool(n % 2)) for n, text in enumerate(whole)]
    for place, line in LINES.items():
        for value in _planted(place, each, values, identifiers):
            said = json.dumps(turns(f"A question about transfer number {len(identifiers)}"))[1:-1]
            lines.append(line.replace("TURNS", said).replace("VALUE", value))
    for name, place in (("team", "lower-case name in a label without a list"), ("region", UNLISTED)):
        for _ in range(each):
            value = values.make("name").lower()
            identifiers.append(Identifier(value, "name", place))
            said = {"turns": turns(f"A question about transfer {len(identifiers)}")}
            lines.append(json.dumps(said | plain | {name: value}))
    return ("\n".join(lines) + "\n").encode()


def missed(identifiers: Sequence[Identifier]) -> set[str]:
    """Return the values in texts that the recognisers do not find completely."""
    found = detector.detect_spans([identifier.text for identifier in identifiers])
    left = set()
    for identifier, spans in zip(identifiers, found, strict=True):
        begin = identifier.text.index(identifier.value)
        marked = {place for span in spans or () for place in range(span.start, span.end)}
        places = range(begin, begin + len(identifier.value))
        if not all(place in marked for place in places if identifier.text[place].isalnum()):
            left.add(identifier.value)
    return left
