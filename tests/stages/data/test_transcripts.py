"""Transcripts as a source: the forms that are read, and what each makes of turns."""

import time

import pytest

from tasks.stages.data.readers.content import open_content
from tasks.stages.data.readers.transcript_turns import parse_turns
from tests.stages.data.build import Run, params, source

CONVERSATION = {"thread": "thread", "author": "author", "text": "text", "assistants": ["agent"]}
VTT = """\ufeffWEBVTT - a call

NOTE
Nobody: said this

STYLE
::cue { color: red }

intro
00:01.000 --> 00:04.000 align:start
<v.loud Mia B.>My card is <b>blocked</b></v>

00:04.000 --> 00:06.000
<v Mia B.>since <00:05.000>Monday &amp; today.

00:06.500 --> 00:08.000
<v Agent>I see.</v> <v Mia B.>Good.
"""
SRT = """1
00:00:01,000 --> 00:00:04,000
Mia: My card
is blocked: since Monday.

2
00:00:04,000 --> 00:00:06,000
- all of them

3
01:00:06,000 --> 01:00:08,000
AGENT: <i>I see.</i>
"""
STAMPED = """A call

[00:01:02] Agent: Hello.
[00:01:05] Mia: It says:
Note: blocked
2024-05-01 10:02 Agent: I see.
"""
NAMED = """Agent: Hello.\r
Mia Berg: I called at 10:30.\r
https://x.example\r
I asked this on Monday already: why?\r
Agent:\r
"""
CALLED = "I called at 10:30.\nhttps://x.example\nI asked this on Monday already: why?"
TURNS = {
    VTT: [
        ("Mia B.", "00:01.000", "My card is blocked since Monday & today."),
        ("Agent", "00:06.500", "I see."),
        ("Mia B.", "00:06.500", "Good."),
    ],
    SRT: [
        ("Mia", "00:00:01,000", "My card is blocked: since Monday. - all of them"),
        ("AGENT", "01:00:06,000", "I see."),
    ],
    STAMPED: [
        ("Agent", "00:01:02", "Hello."),
        ("Mia", "00:01:05", "It says:\nNote: blocked"),
        ("Agent", "2024-05-01 10:02", "I see."),
    ],
    NAMED: [("Agent", None, "Hello."), ("Mia Berg", None, CALLED), ("Agent", None, "")],
    "10:02 - Mia: Hi\n10:03 - Mia: there": [("Mia", "10:02", "Hi\nthere")],
    "No speaker.\n12:30\n": [],
    "WEBVTT\n\n00:01.000 --> 00:02.000\nno speaker": [],
}


@pytest.mark.parametrize("text", TURNS)
def test_the_turns_of_a_transcript(text: str) -> None:
    assert parse_turns(text) == TURNS[text]


@pytest.mark.parametrize("text", ["<v " * 400_000, "a " * 500_000, "[00:" * 300_000, "<" * 500_000, "A:\n" * 200_000])
def test_a_text_made_to_take_long_ends(text: str) -> None:
    begun = time.process_time()
    parse_turns(text)
    parse_turns(f"00:01.000 --> 00:02.000\n{text}")
    assert time.process_time() - begun < 3


def test_a_folder_of_transcripts_is_a_source_of_conversations(run: Run) -> None:
    folder = run.root / "calls"
    folder.mkdir()
    for name, text in {"b.srt": SRT, "a.vtt": VTT, "d.log": "no speaker here", "c.txt": STAMPED, "e.pdf": "x"}.items():
        (folder / name).write_text(text)
    with open_content(source(folder, "transcript", mapping={"conversation": CONVERSATION}), folder) as file:
        archive = file.read()
    mapping = {"conversation": {**CONVERSATION, "time": "time"}}
    how = params(max_malformed_share=0.3)
    result = run.ingest(archive, kind="transcript", how=how, mapping=mapping)
    assert [[turn["content"] for turn in record["messages"]] for record in run.records_of("ingest")] == [
        ["My card is blocked since Monday & today.", "I see."],
        ["My card is blocked: since Monday. - all of them", "I see."],
        ["It says:\nNote: blocked", "I see."],
    ]
    assert run.rules_of("ingest") == {4: "no_speaker"} and result.counts.rows == 4
