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
        ("see the note by Carol.", "Carol"),
        ("herr grabowski hat angerufen", "grabowski"),
        ("mrs okonkwo called", "okonkwo"),
        ("sabine grabowski braucht hilfe", "sabine grabowski"),
        ("Für Janna Stumpf wurden zwei Zimmer gebucht", "Janna Stumpf"),
        ("the patient McDonald is in ward 3", "McDonald"),
        ("Für Goldlinde Strobinski wurden zwei Zimmer gebucht", "Goldlinde Strobinski"),
        ("Für Walhelm Strobinski wurden zwei Zimmer gebucht", "Walhelm Strobinski"),
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
        "Der Newsletter ist nach 7 Tage abgelaufen, ein Paket Ihrer Wahl folgt",
        "Temporäre Dateien und Faktor 2 ändern Sie im Reiter Optionen",
        "Verbinden Sie Ihr Formular mit Ihrer Datenquelle, der Speicherort der Vorlagen bleibt",
        "Das Markieren von Einträgen geht auf dem Server und unter MS Word",
        "Nutzer folgen Nutzern und abonnieren damit ihre Beiträge.",
        "die frau hat angerufen und herr und frau sind da",
        "Our Summer collection has arrived, and in Spring we are busy",
        "The Sommer edition of Samsung and Bosch, sent by Zalando",
        "Does Tesco deliver, or did the update from Renault fail?",
        "You accept the License Grant, the Policies and Partner's use of Codespaces",
        "the Customer Content in an Enterprise Server, by contacting GitHub",
        "AI-supported and Pre-release features use OAuth",
        "offices in San Francisco and South America",
        "we met at Santa Barbara and near Fort William",
        "the Zorbal-supported features",
        "check your leave in HR Links and ask the contact TTSC on behalf of FAS",
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
