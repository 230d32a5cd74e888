"""`hallmark new`: what it guesses, what it asks, and that a wrong file is told in words and leaves nothing."""

import errno
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tasks.core.documents import config
from tasks.core.params.params import load_params
from tasks.policy import policy
from tasks.scaffold import data_file, file_format, plan
from tasks.scaffold.plan import PlannedFile
from tasks.sources import expectation_suites, sources
from tasks.sources.sources import Source
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.infra.test_gates import Terminal
from tests.scaffold.files import as_csv, letters
from tests.stages.data.build import jsonl, parquet
from tests.tiny_project import git

SAID = {"owner": "data-owner", "licence": "CC0-1.0", "basis": "no personal data", "purpose": "name the topic"}
ANSWERS = tuple(word for key, value in SAID.items() for word in (f"--{key}", value))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("new") / "project")


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Iterator[Path]:
    """Where files of a person lie. Whatever became of them, the checkout is as it was."""
    yield tmp_path
    git(project, "clean", "-qfd", "examples")


def written(project: Path, data: bytes | str, folder: Path, *more: str) -> Source:
    """The source that `hallmark new` declares for this file."""
    (folder / "data.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    told = hallmark_json(project, "new", "garden", "--from", str(folder / "data.csv"), *ANSWERS, *more)
    assert told["written"] and told["next"][0].startswith("git add examples/garden")
    (source,) = sources.load_sources(project / "examples" / "garden" / "governance").sources
    return source


def refused(project: Path, data: bytes | str, folder: Path, *more: str, name: str = "garden", code: int = 2) -> str:
    """What `hallmark new` says, in one line, of a file that it makes nothing of."""
    (folder / "data.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    told = hallmark(project, "new", name, "--from", str(folder / "data.csv"), *ANSWERS, *more, code=code)
    assert "Traceback" not in told and not git(project, "status", "--porcelain"), told
    return " ".join(told.split())


def test_two_columns_become_a_use_case_that_says_what_was_guessed(project: Path, folder: Path) -> None:
    (folder / "garden.csv").write_text(as_csv(letters()))
    told = " ".join(hallmark(project, "new", "garden", "--from", str(folder / "garden.csv"), *ANSWERS).split())
    for wanted in (
        "prompt: letter the only text beside the answer",
        "response: topic its name, and 4 values that repeat",
        "language: en",
        "answers are label 4 answers that come again and again",
        "hallmark init --governance examples/garden/governance",
        "hallmark run --as ml-engineer --params examples/garden/params.yaml --governance examples/garden/governance",
    ):
        assert wanted in told
    made = project / "examples" / "garden"
    params, (source,) = load_params(made / "params.yaml"), sources.load_sources(made / "governance").sources
    assert (params.evaluation.target, params.use_case.approved_uses) == ("label", ["name the topic"])
    assert (source.owner, source.licence, source.lawful_basis) == ("data-owner", "CC0-1.0", "no personal data")
    assert source.location == str(folder / "garden.csv"), "it stays where it is, out of git"
    text = "".join(file.read_text() for file in made.rglob("*.yaml"))
    assert not any(row["letter"] in text for row in letters()), "no row of a file is written"
    again = hallmark(project, "new", "garden", "--from", str(folder / "garden.csv"), *ANSWERS, code=2)
    assert "examples/garden is there already, and nothing is written over" in again


ROWS = letters(100)
UMLAUTS = [
    {"brief": f"Wie oft gieße ich die {row['letter'][-30:]} für müde Blätter?", "thema": "gießen"} for row in ROWS
]
TURNS = [[{"role": "user", "content": row["letter"]}, {"role": "assistant", "content": row["topic"]}] for row in ROWS]
CHAT = [{"id": number, "turns": turns} for number, turns in enumerate(TURNS)]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (as_csv(ROWS, ";"), {"kind": "csv", "delimiter": ";"}),
        (as_csv(ROWS, "\t"), {"delimiter": "\t"}),
        (as_csv(UMLAUTS).encode("cp1252"), {"encoding": "cp1252"}),
        (as_csv(UMLAUTS).encode("utf-16"), {"encoding": "utf-16"}),
        (as_csv(UMLAUTS).encode("utf-16-le"), {"encoding": "utf-16-le"}),
        (as_csv(UMLAUTS).encode("utf-8-sig"), {"encoding": "utf-8"}),
        (gzip.compress(as_csv(ROWS).encode()), {"kind": "csv"}),
        (jsonl(ROWS), {"kind": "jsonl"}),
        (parquet(ROWS), {"kind": "parquet"}),
        ("Question, with a comma;Answer\n" + "a, b;c\n" + as_csv(ROWS, ";").partition("\n")[2], {"delimiter": ";"}),
    ],
    ids=["semicolon", "tab", "cp1252", "utf-16", "utf-16-le", "mark", "gzip", "jsonl", "parquet", "prose"],
)
def test_the_form_is_read_off_the_file_whatever_its_name(
    project: Path, folder: Path, data: bytes | str, wanted: dict[str, str]
) -> None:
    source = written(project, data, folder)
    assert {key: getattr(source, key) for key in wanted} == wanted


def test_chats_are_taken_as_they_are(project: Path, folder: Path) -> None:
    mapping = written(project, jsonl(CHAT), folder).mapping
    assert (mapping.messages, mapping.prompt) == ("turns", None)


def test_columns_are_told_by_name_and_by_what_they_hold(project: Path, folder: Path) -> None:
    rows = [
        {
            "nr": str(number), "message": row["letter"], "intent": row["topic"], "queue": "ab"[number % 2],
            "lang": "en", "created": f"2026-0{1 + number % 9}-03", "updated": "yesterday", "team": "north",
            "fold": "train",
        }
        for number, row in enumerate(ROWS)
    ]  # fmt: skip
    mapping = written(project, as_csv(rows), folder).mapping.model_dump(exclude_none=True)
    assert mapping == {
        "prompt": "message", "response": "intent", "language": "lang", "effective_from": "created",
        "department": "team", "split": "fold",
    }  # fmt: skip


def test_what_names_do_not_say_is_asked_for_and_several_answers_become_one_object(project: Path, folder: Path) -> None:
    rows = [{"x": row["letter"], "y": row["topic"], "z": f"{row['letter']} indeed"} for row in ROWS]
    told = refused(project, as_csv(rows), folder)
    assert "its columns do not say which is which (x, y, z); say --prompt COLUMN" in told
    source = written(project, as_csv(rows), folder, "--prompt", "x", "--response", "y", "--response", "z")
    assert (source.mapping.prompt, source.mapping.response) == ("x", {"y": "y", "z": "z"})
    params = load_params(project / "examples" / "garden" / "params.yaml")
    assert (params.evaluation.target, params.evaluation.label_field) == ("json", "y")


def test_objects_beside_a_label_are_proposed_as_fields_of_the_answer(project: Path, folder: Path) -> None:
    rows = [
        {"text": row["letter"], "intent": row["topic"], "slots": {"plant": "fern"} if number % 2 else {}}
        for number, row in enumerate(ROWS)
    ]
    (folder / "data.jsonl").write_bytes(jsonl(rows))
    ask = ("new", "garden", "--from", str(folder / "data.jsonl"), *ANSWERS)
    told = " ".join(hallmark(project, *ask).split())
    proposed = "--response intent --response slots"
    assert f"slots: objects or lists, not read; if the model is to answer them too: {proposed}" in told
    shutil.rmtree(project / "examples" / "garden")
    told = " ".join(hallmark(project, *ask, *proposed.split()).split())
    assert "answers are json" in told and "not read" not in told
    params = load_params(project / "examples" / "garden" / "params.yaml")
    assert (params.evaluation.target, params.evaluation.label_field) == ("json", "intent")


def test_free_answers_are_no_labels(project: Path, folder: Path) -> None:
    rows = [{"question": row["letter"], "answer": f"Look at number {n} closely"} for n, row in enumerate(ROWS)]
    governance = project / "infra" / "governance" / "policy.yaml"
    before = governance.read_text()
    asked = "          - {name: every label tested was trained, fact: split.labels_only_in_test, at_most: 0}\n"
    mark = "          - {name: enough rows, fact: split.train_rows"
    governance.write_text(before.replace(mark, asked + mark).replace("at_least: 10}", "at_least: 1000}  # risk's"))
    try:
        written(project, as_csv(rows), folder)
    finally:
        governance.write_text(before)
    made = project / "examples" / "garden"
    params, own = load_params(made / "params.yaml"), policy.load_policy(made / "governance")
    assert params.data.near_duplicates and params.data.near_duplicates.conflict_jaccard is None
    facts = {check.fact: check.at_least for check in own.gate("limited", "data").checks}
    assert "split.labels_only_in_test" not in facts and 40 <= (facts["split.train_rows"] or 0) <= 70
    text = (made / "governance" / "policy.yaml").read_text()
    assert "where the checkout asks 1000" in text and "# risk's" in text, "and remarks stay"


def test_a_folder_of_documents_becomes_plain_texts_and_says_what_it_leaves_out(project: Path, folder: Path) -> None:
    for name, text in {
        "a.md": "# {}\nWater the {} in the morning.\n",
        "b/c.docx": "",
        ".git/x": "",
        "d.PNG": "",
    }.items():
        (folder / "wiki" / name).parent.mkdir(parents=True, exist_ok=True)
        rows = [text.format(f"Day {number}", f"plant {number}") for number in range(30)]
        (folder / "wiki" / name).write_text("".join(rows))
    told = " ".join(hallmark(project, "new", "garden", "--from", str(folder / "wiki"), *ANSWERS).split())
    for wanted in (
        "markdown, 30 rows, utf-8 most of the folder's files",
        "left out: 1 .docx, 1 .png, 1 hidden",
        "text: text documents have no answers: plain texts, for continued pretraining",
        "heading: heading tells editions of a text from texts of other documents",
        "'title' is not read",
        "look: plain texts do not show what a model answers: before a run, add a source of questions and answers",
    ):
        assert wanted in told, told
    declared = sources.load_sources(project / "examples" / "garden" / "governance").sources[0]
    assert (declared.kind, declared.location, declared.mapping.text) == ("markdown", str(folder / "wiki"), "text")
    params = load_params(project / "examples" / "garden" / "params.yaml")
    assert (params.use_case.approach, params.prompts["garden"].text_window) == ("continued_pretraining", 128)


def test_documents_whose_headings_ask_are_answered_by_their_text(project: Path, folder: Path) -> None:
    page = "".join(f"<h1>Day {number}</h1><p>Water plant {number}." for number in range(30))
    made = written(project, f"<!DOCTYPE html>{page}", folder, "--prompt", "heading", "--response", "text")
    assert (made.kind, made.mapping.prompt, made.mapping.response) == ("html", "heading", "text")


def test_a_folder_without_documents_is_told(project: Path, folder: Path) -> None:
    (folder / "x.png").write_text("")
    told = " ".join(hallmark(project, "new", "garden", "--from", str(folder), *ANSWERS, code=2).split())
    assert "a folder of documents is read by their suffixes, .txt, .text, .md" in told


def test_labels_that_nearly_equal_another_one_are_counted(project: Path, folder: Path) -> None:
    """The labels of an object with several answers are those of its label field."""
    told_of = {}
    for name, topics in (("plain", {}), ("typed", {7: "lihgt", 8: "Feeding "})):
        rows = [row | {"topic": topics.get(n, row["topic"]), "note": f"note {n}"} for n, row in enumerate(ROWS)]
        (folder / "data.csv").write_text(as_csv(rows))
        for form in ((), ("--response", "topic", "--response", "note")):
            asked = ("new", f"garden-{name}-{len(form)}", "--from", str(folder / "data.csv"), "--prompt", "letter")
            told_of[name, form] = " ".join(hallmark(project, *asked, *form, *ANSWERS).split())
            shutil.rmtree(project / "examples" / f"garden-{name}-{len(form)}")
    for (name, _), told in told_of.items():
        assert ("2 labels nearly equal a more frequent one" in told and "data labels" in told) == (name == "typed")
    assert "data.untrained_labels: quarantine" in told_of["typed", ()]
    assert "as misspelt ones do: 'Feeding' and 'feeding', 'lihgt' and 'light';" in told_of["typed", ()]


def test_a_label_that_nearly_equals_another_is_not_expected(project: Path, folder: Path) -> None:
    written(project, as_csv([*ROWS, {"letter": "a lamp", "topic": "lihgt"}]), folder)
    suite = (project / "examples" / "garden" / "governance" / "expectations" / "garden.yaml").read_text()
    assert "light" in suite and "lihgt" not in suite


def test_a_column_named_as_one_to_group_by_is_the_answer_where_nothing_else_is(project: Path, folder: Path) -> None:
    rows = [{"message": row["letter"], "team": row["topic"]} for row in ROWS]
    assert written(project, as_csv(rows), folder).mapping.model_dump(exclude_none=True) == {
        "prompt": "message", "response": "team",
    }  # fmt: skip
    git(project, "clean", "-qfd", "examples")
    more = [row | {"label": "ab"[n % 2]} for n, row in enumerate(rows)]
    mapped = written(project, as_csv(more), folder).mapping
    assert (mapped.response, mapped.department) == ("label", "team")


def test_an_owner_whom_nobody_knows_is_added(project: Path, folder: Path) -> None:
    written(project, as_csv(ROWS), folder, "--owner", "editor")
    assert "- id: editor" in (project / "examples" / "garden" / "governance" / "people.yaml").read_text()


NOTHING = ["", "  \n\n"]
BINARY = bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        *((data, "is empty; expected at least one row") for data in NOTHING),
        ("a\nb\nc\n", "it has 1 named column; a use case is learnt from at least two"),
        (b"\x00\x01" + BINARY, "is binary: "),
        (b"PK\x03\x04" + BINARY, "(an Excel workbook is one), expected csv text; save it as csv, jsonl, parquet, te"),
        (b"PAR1" + BINARY, "is truncated: it does not end with Parquet's footer"),
        (gzip.compress(as_csv(ROWS).encode())[:300], "its gzip stream ends early"),
        ("text,label,label\n" + "a,b,c\n" * 30, "more than one column 'label': the columns 2, 3 from the left"),
        (as_csv(ROWS).partition("\n")[2], "its first line looks like a row of data"),
        ("I am Ada Lovelace my card is 4111111111111111,fraud\n" + as_csv(ROWS).partition("\n")[2],
         "its first line looks like a row of data (column 1 has what looks like a name or a number of a person)"),
        ("text,label\n", "it has a header and no row"),
        (as_csv(ROWS[:9]), "9 of its 9 rows become records"),
        ("text,label\n" + "the same,a\nthe same,b\n" * 30, "ask 1 different things"),
        (json.dumps(ROWS), "no line of it is a JSON object"),
        ("[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]", "looks like one JSON list"),
        (as_csv(ROWS) + "a,b,c\n" * 20, "20 of 120 rows cannot be read, and a run stops where it is more than 5%"),
        (as_csv(ROWS).replace("letter,", '"let\u202eter",'), "holds the character <U+202E>, which nobody sees; rename"),
        ("x" * 100 + ",label\n" + "a,b\n" * 30, "the name of column 1 has 100 characters"),
        (",".join(map(str, range(501))) + "\n1\n", "501 columns, and at most 500 are looked at"),
        (("вопрос,ответ\n" + "где мой заказ,да\n" * 40).encode("cp1251"), "say which it is: --encoding NAME"),
        ('text,label\n"unclosed,a\n' + "b,c\n" * 40, "is truncated: it ends within the quoted field of row 1"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_told_in_words_and_nothing_is_written(
    project: Path, folder: Path, data: bytes | str, wanted: str
) -> None:
    assert wanted in refused(project, data, folder)


def test_a_name_of_a_column_that_could_be_a_persons_is_one_of_a_column(project: Path, folder: Path) -> None:
    rows = [row | {"April Sales": str(number)} for number, row in enumerate(ROWS)]
    written(project, as_csv(rows), folder, "--prompt", "letter")


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        (["Ada Lovelace", "Alan Turing", "+44 20 7946 0958", "4111111111111111"], None),
        (["water it", "cut it back", "leave it alone"] * 11 + ["call ada@example.org"], 3),
    ],
    ids=["answers are people", "one answer has an address"],
)
def test_what_is_personal_is_written_to_no_file(
    project: Path, folder: Path, answers: list[str], kept: int | None
) -> None:
    rows = [row | {"topic": answers[number % len(answers)]} for number, row in enumerate(ROWS)]
    (folder / "data.csv").write_text(as_csv(rows))
    told = hallmark(project, "new", "garden", "--from", str(folder / "data.csv"), *ANSWERS)
    assert "recurring answers, departments or languages look like names or numbers of people" in " ".join(told.split())
    files = [path for path in (project / "examples" / "garden").rglob("*") if path.is_file()]
    assert not [path for path in files for word in ("Lovelace", "7946", "4111", "ada@") if word in path.read_text()]
    suite = config.read_plain_yaml(project / "examples" / "garden" / "governance" / "expectations" / "garden.yaml")
    lists = [each for each in suite["expectations"] if each["kwargs"].get("column") == "target"]
    assert [len(each["kwargs"]["value_set"]) for each in lists] == [kept] * (kept is not None)


def test_a_long_value_is_listed_in_no_suite(project: Path, folder: Path) -> None:
    """It is too long to be searched for personal data."""
    long = "Ada Lovelace, whose garden this is, " * 8
    rows = [row | {"department": "indoor" if number else long} for number, row in enumerate(ROWS)]
    written(project, as_csv(rows), folder)
    suite = config.read_plain_yaml(project / "examples" / "garden" / "governance" / "expectations" / "garden.yaml")
    lists = [each["kwargs"] for each in suite["expectations"] if each["kwargs"].get("column") == "department"]
    assert [each["value_set"] for each in lists if "value_set" in each] == [["indoor"]]


def test_a_test_file_is_the_whole_test_set(project: Path, folder: Path) -> None:
    long = {"letter": f"{ROWS[0]['letter']} {'Please. ' * 200}", "topic": "watering", "split": "train"}
    tested = [row | {"split": "train"} for row in letters()[200:260]]
    (folder / "test.csv").write_text(as_csv([*tested, long | {"topic": "weeds"}], ";"))
    (folder / "data.csv").write_text(as_csv([row | {"split": "test"} for row in ROWS]))
    files = ("--from", str(folder / "data.csv"), "--test", str(folder / "test.csv"))
    told = hallmark(project, "new", "garden", *files, *ANSWERS)
    said = " ".join(told.split())
    assert "the test file is the whole test set" in said and "1 answers of the test file are no answer of" in said
    made = project / "examples" / "garden"
    train, test = sources.load_sources(made / "governance").sources
    assert [(each.id, each.split, each.delimiter) for each in (train, test)] == [
        ("garden", "train", ","), ("garden-test", "test", ";")
    ]  # fmt: skip
    assert train.mapping == test.mapping and train.mapping.split is None and "'split' is not read" in said
    suites = expectation_suites.load_suites(made / "governance", sources.load_sources(made / "governance"))
    assert suites.by_source.keys() == {"garden", "garden-test"}
    params = load_params(made / "params.yaml")
    assert "test_share" not in (made / "params.yaml").read_text() and params.data.test_rows is None
    assert params.data.max_prompt_chars is not None and params.data.max_prompt_chars > len(long["letter"])


def test_a_test_file_without_the_columns_is_told(project: Path, folder: Path) -> None:
    (folder / "test.csv").write_text(as_csv([{"letter": row["letter"], "subject": row["topic"]} for row in ROWS]))
    told = refused(project, as_csv(ROWS), folder, "--test", str(folder / "test.csv"))
    assert "there is no column 'topic'; the test file needs the columns of the file to train on" in told


def test_a_trial_asks_nothing_and_is_an_experiment(project: Path, folder: Path) -> None:
    (folder / "data.csv").write_text(as_csv(ROWS))
    told = hallmark(project, "new", "garden", "--from", str(folder / "data.csv"), "--trial")
    assert "Runs of tier experiment ask nobody and promote nothing." in " ".join(told.split())
    params = load_params(project / "examples" / "garden" / "params.yaml")
    assert (params.use_case.risk_tier, params.use_case.owners.data) == ("experiment", "data-owner")


def test_a_trial_of_another_tier_is_refused(project: Path, folder: Path) -> None:
    told = refused(project, as_csv(ROWS), folder, "--trial", "--tier", "limited")
    assert "--trial uses risk tier experiment; leave --tier limited out, or --trial" in told


def test_a_file_that_is_too_large_is_told_before_it_is_read_whole(
    project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_file, "MAX_BYTES", 1 << 20)
    for data in (b"a,b\n" + b"\0" * (1 << 21), gzip.compress(b"a,b\n" * (1 << 20))):
        assert "more than 1,048,576 bytes, and `hallmark new` looks at no larger file" in refused(project, data, folder)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--encoding", "klingon"), "encoding 'klingon' is not a Python text codec"),
        (("--delimiter", "ab"), "--delimiter 'ab': expected one character"),
        (("--prompt", "lettre"), "there is no column 'lettre'; the file has 'letter', 'topic'"),
        (("--prompt", "topic", "--response", "topic"), "name the same column twice"),
        (("--tier", "extreme"), "there is no risk tier 'extreme' in policy.yaml; it has experiment, limited"),
        (("--purpose", "fine\x1b[2J"), "holds the character <U+001B>"),
        (("--owner", "The Boss"), "people.8.id"),
        (("--owner", "demo-data-owner"), "nobody could ask for a run of tier limited on data of demo-data-owner"),
        (("--owner", "risk-officer"), "nobody could ask for a run of tier limited on data of risk-officer"),
    ],
)
def test_a_wrong_answer_is_told_in_words(project: Path, folder: Path, options: tuple[str, ...], wanted: str) -> None:
    assert wanted in refused(project, as_csv(ROWS), folder, *options, code=1 if wanted.startswith("nobody") else 2)


def test_all_that_is_wrong_and_all_that_is_missing_is_told_at_once(project: Path, folder: Path) -> None:
    told = hallmark(project, "new", "My Garden!", "--from", str(folder / "none.csv"), code=2)
    for wanted in ("'My Garden!' cannot be a name", "none.csv: there is no such file", *(f"--{key} " for key in SAID)):
        assert wanted in told
    assert not git(project, "status", "--porcelain")


def test_a_name_that_another_use_case_has_is_refused(project: Path, folder: Path) -> None:
    told = refused(project, as_csv(ROWS), folder, name="tiny")
    assert "params.yaml has a use case of this name, and its models; take another name" in told


def test_a_full_disk_is_told_and_nothing_is_left(project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = plan._write

    def full(place: Path, files: Sequence[PlannedFile]) -> None:
        write(place, files)
        if project in place.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))

    monkeypatch.setattr(plan, "_write", full)
    told = refused(project, as_csv(ROWS), folder, code=3)
    assert "cannot be written (No space left on device); nothing was written" in told
    assert not git(project, "status", "--porcelain", "--ignored", "examples")


def test_a_path_that_leads_to_no_file_is_told(project: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "${HOME}.csv").write_text(as_csv(ROWS))
    for file, wanted in {
        "": "there is no such file", str(folder / "pipe"): "it is a pipe or device",
        "a\0b": "is no path", str(folder / "${HOME}.csv"): "stands for a variable", "/proc/version": "where no data is",
    }.items():  # fmt: skip
        assert wanted in hallmark(project, "new", "garden", "--from", file, *ANSWERS, code=2)


@pytest.mark.usefixtures("folder")
def test_a_file_in_the_checkout_is_named_from_there_and_added_with_the_rest(project: Path) -> None:
    (project / "examples" / "own data.csv").write_text(as_csv(ROWS))
    told = hallmark_json(project, "new", "garden", "--from", "examples/own data.csv", *ANSWERS)
    assert "git add examples/garden 'examples/own data.csv' &&" in told["next"][0]
    (source,) = sources.load_sources(project / "examples" / "garden" / "governance").sources
    assert source.location == "examples/own data.csv"


@pytest.mark.parametrize("name", ["-x.csv", ":x.csv", ":(exclude)x.csv", "[ab].csv"])
def test_a_file_whose_name_means_something_to_git_is_added_alone(project: Path, name: str) -> None:
    (project / "a.csv").write_text("another's, which the pattern [ab].csv fits")
    (project / name).write_text(as_csv(ROWS))
    try:
        told = hallmark_json(project, "new", "garden", "--from", str(project / name), *ANSWERS)
        subprocess.run(told["next"][0].split(" && ")[0], shell=True, cwd=project, check=True)
        added = git(project, "diff", "--cached", "--name-only", "-z").split("\0")
        assert [path for path in added if path and not path.startswith("examples/garden/")] == [name]
    finally:
        git(project, "reset", "-q")
        git(project, "clean", "-qfd")


def test_a_use_case_is_not_called_as_the_suite_of_all_records_is(project: Path, folder: Path) -> None:
    told = refused(project, as_csv(ROWS), folder, name="dataset")
    assert "'dataset' cannot be a name: what is expected of all records together is called so" in told


def test_hostile_names_of_columns_stay_names(project: Path, folder: Path) -> None:
    rows = [{"=cmd|' {{7*7}} <b>": row["letter"], "label: [x] #": row["topic"]} for row in ROWS]
    mapping = written(project, as_csv(rows), folder).mapping
    assert (mapping.prompt, mapping.response) == ("=cmd|' {{7*7}} <b>", "label: [x] #")


def test_at_a_terminal_it_asks_what_it_cannot_know_and_writes_after_yes(project: Path, folder: Path) -> None:
    (folder / "data.csv").write_text(as_csv(ROWS))
    command = ("new", "garden", "--from", str(folder / "data.csv"), "--purpose", SAID["purpose"])
    for answer, code in (("n", 1), ("y", 0)):
        terminal = Terminal(project, *command)
        for key, asks in (("owner", "data-owner):"), ("licence", "our own):"), ("basis", "(1) a)):")):
            terminal.until(asks)
            os.write(terminal.screen, f"{SAID[key]}\n".encode())
        before = terminal.until("6 files")
        assert "prompt: letter" in " ".join(before.split())
        assert terminal.answer(answer)[0] == code
        assert (project / "examples" / "garden" / "params.yaml").exists() == (code == 0)


EXTRACT = [
    {"request": f"{row['letter']} asks Ada{number}", "what": row["topic"], "who": f"Ada{number}"}
    for number, row in enumerate(ROWS)
]
FIELDS = ("--response", "what", "--response", "who")


def test_fields_that_are_personal_by_their_purpose_are_said_and_declared(project: Path, folder: Path) -> None:
    source = written(project, as_csv(EXTRACT), folder, *FIELDS, "--personal", "who=name")
    assert source.personal == {"who": "name"} and source.mapping.response == {"what": "what", "who": "who"}
    text = (project / "examples/garden/governance/sources.yaml").read_text()
    assert "who: name" in text and not any(f"Ada{number}" in text for number in range(100))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("who", "--personal 'who': expected FIELD=CATEGORY, such as artist=name; categories are name, address"),
        ("who=person", "--personal 'who=person': expected FIELD=CATEGORY"),
        ("whose=name", "`personal` names 'whose'; the target has the fields 'what', 'who'"),
    ],
)
def test_a_field_that_is_none_is_told(project: Path, folder: Path, said: str, wanted: str) -> None:
    assert wanted in refused(project, as_csv(EXTRACT), folder, *FIELDS, "--personal", said)


def test_who_says_of_no_field_that_it_is_personal_is_told_to_look(project: Path, folder: Path) -> None:
    (folder / "data.csv").write_text(as_csv(EXTRACT))
    told = hallmark_json(project, "new", "garden", "--from", str(folder / "data.csv"), *ANSWERS, *FIELDS)
    assert any("answers have the fields what, who; if one is personal by its purpose" in line for line in told["look"])
    git(project, "clean", "-qfd", "examples")
    terminal = Terminal(project, "new", "garden", "--from", str(folder / "data.csv"), *ANSWERS, *FIELDS)
    terminal.until("phone=phone)")
    os.write(terminal.screen, b"who=name\n")
    told_there = " ".join(terminal.until("6 files").split())
    assert "the field 'who' is personal by its purpose, and `protect` says tokenise" in told_there
    assert terminal.answer("n")[0] == 1


def test_only_texts_that_a_file_may_hold_are_dumped_as_yaml(tmp_path: Path) -> None:
    from tasks.scaffold import commented_yaml

    value = {"a": {"b": ["x: y", "# no", "null", "1"], "c": None, "d": 0.5}, "e": [{"f": "yes"}, {"f": "é\n\tz"}]}
    text = commented_yaml.dump_with_comments(value, "one\ntwo", {"a.b": "why", "e.f": "twice"})
    (tmp_path / "a.yaml").write_text(text)
    assert config.to_plain_value(config.read_yaml(tmp_path / "a.yaml")) == value
    assert text.startswith("# one\n# two\n") and "# why" in text and "# twice" in text


def test_encodings_that_are_tried_are_those_that_there_are() -> None:
    assert all("x".encode(name) for name in file_format.ENCODINGS)


def test_generated_rows_are_no_real_ones(project: Path, folder: Path) -> None:
    header, *lines = as_csv(letters()).splitlines()
    ends = [",Synthetic,writer 2,vary it,data:1" if number % 4 == 1 else ",source,,," for number in range(len(lines))]
    rows = [f"{header},written,made_by,generator prompt,Parents", *map("".join, zip(lines, ends, strict=True))]
    mapping = written(project, "\n".join(rows) + "\n", folder).mapping
    assert (mapping.origin, mapping.generator) == ("written", "made_by")
    assert (mapping.generator_prompt, mapping.parents) == ("generator prompt", "Parents")
    marked = [f"{header},is_synthetic", *(f"{line},{number % 2}" for number, line in enumerate(lines))]
    (folder / "data.csv").write_text("\n".join(marked) + "\n")
    columns = ("--prompt", "letter", "--response", "topic")
    told = hallmark(project, "new", "other", "--from", str(folder / "data.csv"), *ANSWERS, *columns)
    assert "or they count as real" in " ".join(told.split())
