"""A condition is about a person only where the text says whose it is."""

import pytest

from tests.stages.data.recognise.seen import seen


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("my asthma got worse", "asthma"),
        ("I have type 2 diabetes and need help", "diabetes"),
        ("She was diagnosed with breast cancer in May", "breast cancer"),
        ("wegen meiner Depression kann ich nicht", "Depression"),
        ("ich leide seit Jahren an Migräne", "Migräne"),
        ("Ich habe Bluthochdruck", "Bluthochdruck"),
        ("Patient Anna Kurz, asthma since birth", "asthma"),
        ("my husband has epilepsy", "epilepsy"),
        ("meine Mutter hatte einen Schlaganfall", "Schlaganfall"),
        ("I take metformin daily", "metformin"),
        ("a diabetes patient called", "diabetes"),
        ("Ada has epilepsy", "epilepsy"),
        ("I told my insurance that I have asthma", "asthma"),
        ("Diagnose: Diabetes", "Diabetes"),
        ("bei mir wurde Krebs festgestellt", "Krebs"),
        ("my son's autism", "autism"),
        ("ich bin schwanger", "schwanger"),
    ],
)
def test_a_condition_of_somebody_is_found(text: str, term: str) -> None:
    assert [found for found, kind in seen(text) if kind == "HEALTH"] == [term]


@pytest.mark.parametrize(
    "text",
    [
        "Does the policy cover asthma treatment?",
        "the depression of 1929",
        "cancer research donations",
        "I have a question about depression",
        "my cancer insurance policy",
        "Ist Diabetes versichert?",
        "Asthma is a condition",
        "Alle Fragen zu Migräne",
        "I have cancelled my order",
        "ich habe eine Frage zum Thema Krebs",
    ],
)
def test_a_condition_of_nobody_is_left(text: str) -> None:
    assert not [kind for _, kind in seen(text) if kind == "HEALTH"]
