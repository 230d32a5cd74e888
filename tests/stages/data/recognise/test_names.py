import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.data.recognise.seen import kinds, seen


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi, my name is john smith and I lost it", "john smith"),
        ("Dear Mr. Smith, thanks", "Smith"),
        ("Viele Grüße\nAnna Müller", "Anna Müller"),
        ("I spoke with Xiomara Okonkwo about it", "Xiomara Okonkwo"),
        ("Marcus called. Will you mark it?", "Marcus"),
        ("Herr Dr. Müller-Lüdenscheidt kam", "Müller-Lüdenscheidt"),
        ("was emily rodriguez there", "emily rodriguez"),
        ("Patient: Qwyneth Zzyzx", "Qwyneth Zzyzx"),
        ("Kontoinhaber ist Jürgen Weißmüller", "Jürgen Weißmüller"),
        ("My husband Tremaine has the same", "Tremaine"),
        ("Ludwig van Beethoven rief an", "Ludwig van Beethoven"),
        ("According to Nakamura, it moved", "Nakamura"),
    ],
)
def test_a_name_is_found(text: str, name: str) -> None:
    assert (name, "PERSON") in seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "Top Up failed on Monday, but the Apple Pay one worked.",
        "Can I upgrade from the Basic to the Premium plan?",
        "The Terms and Conditions changed",
        "Die Allgemeinen Geschäftsbedingungen gelten seit dem Mai",
        "Bitte starten Sie den Router neu",
        "I am sorry to hear that",
        "this is urgent and it's broken",
        "will you mark the bill as paid in may",
    ],
)
def test_other_capitals_are_no_names(text: str) -> None:
    assert "PERSON" not in kinds(text)


def test_the_language_model_reads_what_lists_leave_open() -> None:
    text = "Yesterday Zorblat Quixwell complained about the delay."
    assert ("Zorblat Quixwell", "PERSON") in seen(text, language_model=True)


def test_the_language_model_does_without_torch_and_hides_it_from_nobody() -> None:
    """Importing it takes longer than all else that a process of `ingest` loads."""
    script = (
        "import sys; from importlib.util import find_spec; "
        "from tasks.stages.data.protect.recognisers.names import spacy_model; "
        "assert [s.kind for s in next(spacy_model.find_people(['I met Quentin Featherstone in Leeds']))] "
        "== ['PERSON']; "
        "assert not [name for name in sys.modules if name.startswith('torch')] and find_spec('torch')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[4])
