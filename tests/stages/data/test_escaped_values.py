"""Values behind escapes of JSON and entities of HTML are recognised as what they are, and JSON stays JSON."""

import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.sources.protection import Category
from tasks.sources.sources import Source, Sources
from tasks.stages.data.ingest.mapping import map_row_to_record
from tasks.stages.data.protect.actions import ProtectionOutcome
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.placeholders import PLACEHOLDER
from tasks.stages.data.protect.recognisers import detector
from tasks.stages.data.protect.records import ProtectionContext, protect_records
from tasks.stages.data.protect.words import RecordText
from tasks.stages.data.validate import remaining_finds
from tests.quickest import is_quick
from tests.stages.data.build import source

VALUES = {
    "iban": "DE89370400440532013000",
    "phone": "+49 30 1234567",
    "email": "rita.meyer@example.org",
    "network": "192.168.17.5",
    "identity": "078-05-1120",
    "birth_date": "born 12 March 1980",
    "credential": "password: Hunter2!xyz",
    "medical": "MRN 12345678",
    "card": "4111111111111111",
    "address": "12 Main Street, Springfield, IL 62701",
}
NAMED_COLUMNS = source("x.jsonl", "jsonl", mapping={"prompt": "p", "response": {"body": "b"}}, constants={"task": "t"})
"""Source of which Hallmark itself writes the JSON of the target."""
CUSTOMER: Mapping[str, Category] = {"customer": "account"}
PLAIN = source("x.jsonl", "jsonl", mapping={"prompt": "p", "response": "b"}, constants={"task": "t"})
LABELLED = source(
    "x.jsonl", "jsonl", mapping={"prompt": "p", "response": "b", "department": "d", "geography": "g"},
    constants={"task": "t"},
)  # fmt: skip


def protected(
    row: dict[str, Any], made: Source = PLAIN, personal: Mapping[str, Category] = CUSTOMER
) -> tuple[dict[str, Any], ProtectionOutcome]:
    context = ProtectionContext(detector.detect_spans, made.protect, {}, b"k" * 32, made.declared_labels, personal)
    ((record, outcome),) = protect_records([map_row_to_record(row, made, Counter())], context)
    return record, outcome


def written(record: dict[str, Any], turn: int = -1) -> str:
    return str(record["messages"][turn]["content"])


@pytest.mark.parametrize("before", ["\n", "\t", "\r\n", '"', "\u00a0", " "], ids=ascii)
@pytest.mark.parametrize(("category", "value"), VALUES.items(), ids=VALUES)
def test_a_value_behind_an_escape_is_recognised(category: str, value: str, before: str) -> None:
    record, outcome = protected({"p": "What does it say?", "b": f"see{before}{value}"}, NAMED_COLUMNS)
    assert set(outcome.counts) == {category}, written(record)
    assert value not in json.loads(written(record))["body"]
    assert all(secret.value in value for secret in outcome.secrets)


@pytest.mark.parametrize(
    "text",
    [
        r'{"tel": "\u002B49 30 1234567"}',
        r'{"tel": "+49\u00a030\u00a01234567"}',
        r'{"tel": "+49\t30\t1234567"}',
        r'{"note": "\u003cb\u003e\u002b49 30 1234567\u003c/b\u003e"}',
        r'{"note": "{\"body\": \"call,\\n+49 30 1234567\"}"}',
        r'{"note": "\u0026#43;49 30 1234567"}',
        '{"note": "&#43;49&#160;30&#160;1234567"}',
        '{"note": "+49 30 12\\u000034\\u200b567"}',
    ],
)
@pytest.mark.parametrize("where", ["p", "b"])
def test_each_way_of_writing_a_character_is_read(text: str, where: str) -> None:
    row = {"p": "What does it say?", "b": "ok"} | {where: text}
    record, outcome = protected(row)
    made = written(record, 0 if where == "p" else -1)
    assert outcome.counts == {"phone": 1}, made
    assert json.loads(made).keys() == json.loads(text).keys() and PLACEHOLDER.search(made)
    (secret,) = outcome.secrets
    assert "".join(filter(str.isdigit, secret.value)) == "49301234567"


@pytest.mark.parametrize(
    "prompt",
    [
        "[Ticket 12] write to rita.meyer&#64;example.org",
        "<p>write to rita.meyer&#64;example.org</p>",
        "write to rita.meyer&amp;#64;example.org",
        r'Summarise this: {"body": "Regards,\nrita.meyer@example.org"} Thanks',
        r'"Regards,\nrita.meyer@example.org"',
        '{"a": "x"}\n{"body": "Regards,\\nrita.meyer\\u0040example.org"}',
    ],
)
def test_what_is_no_json_hides_nothing_behind_an_escape_or_entity(prompt: str) -> None:
    record, outcome = protected({"p": prompt, "b": '{"mail": "rita.meyer@example.org"}'})
    assert outcome.counts == {"email": 2}, record["messages"]
    assert {secret.value for secret in outcome.secrets} == {"rita.meyer@example.org"}
    assert len({secret.token for secret in outcome.secrets}) == 1


def test_a_backslash_that_is_no_escape_takes_nothing_from_a_value() -> None:
    record, outcome = protected({"p": r"My name is Rita Meyer, see C:\tmp\rita.meyer@example.org", "b": "ok"})
    assert written(record, 0).startswith("My name is [name:") and "name" in outcome.counts
    assert "rita.meyer@example.org" in {secret.value for secret in outcome.secrets}


@pytest.mark.parametrize("number", [4111111111111111, 4711081599, -4711081599, 1.4711081599])
def test_a_number_is_replaced_and_the_target_is_still_json(number: int) -> None:
    row = {"p": f"My number is {number}", "b": json.dumps({"number": number, "count": 3, "open": True})}
    record, outcome = protected(row)
    made = json.loads(written(record))
    assert PLACEHOLDER.fullmatch(made["number"])
    assert (made["count"], made["open"]) == (3, True)
    assert outcome.secrets and all(secret.value in str(number) for secret in outcome.secrets)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_number_in_json_within_a_string_leaves_it_json(depth: int) -> None:
    made: Any = {"card": 4111111111111111, "count": 3}
    for _ in range(depth):
        made = json.dumps({"inner": made})
    prompt = f"Read this: {made} Thanks"
    record, outcome = protected({"p": prompt, "b": made})
    assert outcome.counts == {"card": 2}
    for text in (written(record), written(record, 0).removeprefix("Read this: ").removesuffix(" Thanks")):
        inner: Any = text
        for _ in range(depth):
            inner = json.loads(inner)["inner"]
        assert inner["count"] == 3 and PLACEHOLDER.fullmatch(inner["card"])


def test_a_number_of_a_field_that_is_personal_is_replaced() -> None:
    record, _ = protected({"p": "I am customer 1234.", "b": '{"customer": 1234, "others": [-1.5e3, null]}'})
    made = json.loads(written(record))
    assert made["customer"] in written(record, 0) and made["others"] == [-1500, None]


@pytest.mark.parametrize(
    "target",
    [
        {"artist": {"first": "sjedoqwa"}},
        {"artist": [{"n": ["sjedoqwa"]}]},
        {"artist": {"sjedoqwa": 1}},
        {"artist": [{"id": 7}, "sjedoqwa"]},
        {"artist": [[], {}, {"id": {}}, "sjedoqwa"]},
        {"artist": json.dumps({"first": "x", "others": ["sjedoqwa"]})},
        {"genre": {"artist": {"songs": [[1], "sjedoqwa"]}}},
    ],
    ids=json.dumps,
)
def test_all_of_a_personal_field_is_replaced_in_every_turn(target: dict[str, Any]) -> None:
    record, _ = protected({"p": "play some sjedoqwa now", "b": json.dumps(target)}, personal={"artist": "name"})
    assert "sjedoqwa" not in str(record)
    assert json.loads(written(record)).keys() == target.keys()


@pytest.mark.parametrize(
    "target",
    [
        {"genre": [{"artist": "xqwv"}, "jazz"]},
        {"a": {"artist": "xqwv"}, "genre": "jazz"},
        {"artist": "xqwv", '["k"]': "jazz"},
        {"artist": [], "genre": ["jazz", {"jazz": 1}]},
        {"b": json.dumps({"artist": ["xqwv"], "genre": "jazz"}), "c": "jazz"},
    ],
    ids=json.dumps,
)
def test_a_personal_field_ends_where_its_value_ends(target: dict[str, Any]) -> None:
    record, _ = protected({"p": "play some jazz now", "b": json.dumps(target)}, personal={"artist": "name"})
    assert "xqwv" not in str(record)
    assert str(record).count("jazz") == 1 + json.dumps(target).count("jazz")


@pytest.mark.parametrize("field", ["Ku\u0308nstler", "Artist&amp;Band"])
@pytest.mark.parametrize("response", ["b", {}], ids=["json", "columns"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_the_name_of_a_personal_field_is_compared_as_it_is_stored(field: str, response: Any, is_ascii: bool) -> None:
    mapping = {"prompt": "p", "response": response or {field: "b"}}
    made = source("x.jsonl", "jsonl", mapping=mapping, constants={"task": "t"}, personal={field: "name"})
    target = "sjedoqwa" if response == {} else json.dumps({field: "sjedoqwa"}, ensure_ascii=is_ascii)
    record, _ = protected({"p": "play sjedoqwa", "b": target}, made, made.personal)
    assert "sjedoqwa" not in str(record)


def test_a_term_is_compared_as_texts_are_stored() -> None:
    secret = Sources(sources=[PLAIN], terms={"internal_only": ["Mu\u0308hle*"]}).terms
    context = ProtectionContext(detector.detect_spans, PLAIN.protect, secret, b"k" * 32)
    ((_, outcome),) = protect_records(
        [map_row_to_record({"p": "the Mu\u0308hlenbach plan", "b": "x"}, PLAIN, Counter())], context
    )
    assert outcome.drop_category == "internal_only"


def test_of_personal_fields_the_innermost_says_the_category() -> None:
    target = {"artist": {"mail": ["sjedoqwa"], "born": "xqwv"}}
    _, outcome = protected({"p": "play", "b": json.dumps(target)}, personal={"artist": "name", "mail": "email"})
    assert outcome.counts == {"email": 1, "name": 2}


def test_no_value_goes_beyond_a_string() -> None:
    prompt = "My name is Lovelace, Ada and I live at 12 Main Street, Springfield, IL 62701"
    target = {"names": ["Lovelace", "Ada"], "street": "12 Main Street", "city": "Springfield", "zip": "IL 62701"}
    record, _ = protected({"p": prompt, "b": json.dumps(target)})
    made = json.loads(written(record))
    assert made.keys() == target.keys() and len(made["names"]) == 2


@pytest.mark.parametrize("label", ["12\u200b34\u200b56", "12\u00ad34\u00ad56", "ada\u200b lovelace"], ids=ascii)
def test_characters_without_width_hide_nothing_in_a_label(label: str) -> None:
    record, _ = protected({"p": "a", "b": "b", "d": label, "g": "x"}, LABELLED)
    assert PLACEHOLDER.fullmatch(record["department"])


@pytest.mark.parametrize("name", ["Ada\u200bLovelace", "Ada&#8203;Lovelace", "Ada Lovelace"], ids=ascii)
def test_a_space_without_width_joins_no_names(name: str) -> None:
    record, outcome = protected({"p": f"My name is {name}", "b": "b", "d": name, "g": name}, LABELLED)
    assert PLACEHOLDER.fullmatch(record["geography"]) and PLACEHOLDER.fullmatch(record["department"])
    assert outcome.counts == {"name": 3} and "Lovelace" not in str(record)


def test_what_remains_behind_an_escape_is_counted() -> None:
    records = [
        ("s", [r'{"a": "Regards,\nDE89370400440532013000"}']),
        ("s", [r'{"a": "Regards,\n[iban:k3v9x2ab7dqm]"}']),
    ]
    assert remaining_finds.count_unprotected_records(records, {}, detector.detect_spans) == 1


PIECES = st.sampled_from(
    [*VALUES.values(), "Ada Lovelace", "My name is", "\n", "\t", '"', "\\", "\\n", "&#64;", "&amp;", "\u00a0",
     "\u200b", "\x01", "\U0001f600", "é", ", ", ": ", "{", "}", "[", " ", "Regards,", "customer"]
)  # fmt: skip
STRINGS = st.lists(PIECES, max_size=6).map("".join)
DOCUMENTS = st.recursive(
    STRINGS | st.integers() | st.sampled_from([4711081599, 4111111111111111, 1.5e300, -0.0, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3) | inner.map(json.dumps),
    max_leaves=6,
)


def strings(value: Any) -> list[str]:
    """All names, texts and numbers in a JSON value, with those of JSON within its texts, as a reader sees them."""
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    if not isinstance(value, str):
        return [json.dumps(value)]
    try:
        inner = strings(json.loads(value)) if value.startswith(("[", "{")) else []
    except ValueError:
        inner = []
    return [seen(value), *inner]


def seen(text: str) -> str:
    return html.unescape(html.unescape(html.unescape(text))).replace("\x01", "").replace("\u200b", "")


@settings(deadline=None, max_examples=200)
@given(st.lists(DOCUMENTS, min_size=1, max_size=3), st.booleans(), STRINGS)
def test_what_was_json_is_still_json(document: list[Any], is_ascii: bool, prompt: str) -> None:
    text = json.dumps(document, ensure_ascii=is_ascii)
    record, outcome = protected({"p": f"x {prompt}", "b": text})
    assert len(json.loads(written(record))) == len(document)
    sources = [*strings(document), seen(f"x {prompt}")]
    for secret in outcome.secrets:
        assert any(seen(secret.value) in source for source in sources), secret


@given(st.lists(DOCUMENTS, min_size=1, max_size=3), st.lists(st.integers(0, 200), max_size=8, unique=True), st.data())
def test_json_is_still_json_wherever_a_recogniser_finds_something(
    document: list[Any], bounds: list[int], drawn: st.DataObject
) -> None:
    """A span may begin and end anywhere: in a number, at a comma, in the name of a field."""
    ends = sorted(bounds)

    def find(texts: Sequence[str]) -> list[list[DetectedSpan] | None]:
        pairs = list(zip(ends[::2], ends[1::2], strict=False))
        return [[DetectedSpan(a, min(b, len(text)), "account") for a, b in pairs if a < len(text)] for text in texts]

    target = json.dumps(document, indent=drawn.draw(st.sampled_from([None, 1])))
    context = ProtectionContext(find, PLAIN.protect, {}, b"k" * 32)
    ((record, _),) = protect_records([map_row_to_record({"p": "x", "b": target}, PLAIN, Counter())], context)
    assert shape(json.loads(written(record))) == shape(document)


def shape(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return (shape(json.loads(value)),) if value.startswith(("[", "{")) else False
        except ValueError:
            return False
    return [shape(each) for each in value] if isinstance(value, list) else isinstance(value, dict)


@given(DOCUMENTS.map(lambda value: [value]), st.booleans())
def test_offsets_lead_there_and_back(document: list[Any], is_ascii: bool) -> None:
    text = RecordText(json.dumps(document, ensure_ascii=is_ascii))
    decoded = text.decoded
    assert all(decoded.from_original(decoded.to_original(place)) == place for place in range(len(decoded.text) + 1))
    originals = [decoded.to_original(place) for place in range(len(decoded.text) + 1)]
    assert originals == sorted(set(originals)) and (originals[0], originals[-1]) == (0, len(text.text))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ["\\n", ' * 20_000,
        '{"a": "\\n"} ' * 20_000,
        "[" * 99 + '"' + "\\n" * 200_000 + '"' + "]" * 99,
        "&" + "amp;" * 100_000 + "#64;",
        json.dumps(["\\" * 1_000] * 200),
        json.dumps([json.dumps([json.dumps(["\n"] * 5_000)])] * 5),
        '"' * 200_001 + "\\",
    ],
    ids=["starts", "lines", "escapes", "ampersands", "backslashes", "layers", "quotes"],
)
def test_no_text_takes_for_ever_to_decode(text: str) -> None:
    assert is_quick(partial(lambda: RecordText(text).decoded), 2)
