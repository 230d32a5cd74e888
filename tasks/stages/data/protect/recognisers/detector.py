"""Detector of stage `ingest`: the spans of all recognisers, with the categories of sources.yaml."""

from collections.abc import Mapping, Sequence

from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.recognisers import engine
from tasks.stages.data.protect.recognisers.names import spacy_model
from tasks.stages.data.protect.recognisers.numbers import countries

KINDS_BY_CATEGORY: Mapping[Category, tuple[str, ...]] = {
    "name": ("PERSON",),
    "address": ("ADDRESS",),
    "email": ("EMAIL_ADDRESS",),
    "phone": ("PHONE_NUMBER",),
    "card": ("CREDIT_CARD", "CARD_DETAIL"),
    "iban": ("IBAN_CODE",),
    "account": ("ACCOUNT", "SORT_CODE", "CUSTOMER"),
    "birth_date": ("DATE_OF_BIRTH",),
    "network": ("IP_ADDRESS", "MAC_ADDRESS"),
    "medical": ("MEDICAL_RECORD", "HEALTH_INSURANCE", "DE_HEALTH_INSURANCE", "UK_NHS", "US_MBI"),
    "health": ("HEALTH",),
    "credential": ("CREDENTIAL",),
    "identity": (
        "ID_NUMBER",
        "PASSPORT",
        "DRIVER_LICENSE",
        "VEHICLE",
        "DE_ID_CARD",
        "DE_SOCIAL_SECURITY",
        "DE_TAX_ID",
        "DE_TAX_NUMBER",
        "UK_DRIVING_LICENCE",
        "UK_NINO",
        "US_ITIN",
        "US_SSN",
        *(number.kind for number in countries.IDENTITY_NUMBERS),
    ),
}
"""Kinds of span in each category. Categories that are not listed have no recogniser: only the owner's terms belong
to them."""
CATEGORY_BY_KIND: Mapping[str, Category] = {
    kind: category for category, kinds in KINDS_BY_CATEGORY.items() for kind in kinds
}


def detect_spans(texts: Sequence[str]) -> list[list[DetectedSpan] | None]:
    """Return the detected spans of each text; None for a text that could not be read to its end (`Detector`).

    Raises:
        Unavailable: The language model is not installed. The error is raised even if none of the texts needs the model.
            Every text of a record is free text, and patterns miss names in it.
    """
    spacy_model.load_pipeline()
    return [
        None
        if spans is None
        else [DetectedSpan(span.start, span.end, CATEGORY_BY_KIND[span.kind]) for span in sorted(spans)]
        for spans in engine.find_spans(texts)
    ]
