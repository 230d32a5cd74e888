"""What the recognisers find, as the classes that sources.yaml speaks of."""

from collections.abc import Sequence

from tasks.data.protect.found import Found
from tasks.data.protect.recognise import engine
from tasks.govern.protection import Category

CATEGORIES: dict[str, Category] = {
    "PERSON": "name",
    "ADDRESS": "address",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "CARD_DETAIL": "card",
    "IBAN_CODE": "iban",
    "ACCOUNT": "account",
    "SORT_CODE": "account",
    "CUSTOMER": "account",
    "DATE_OF_BIRTH": "birth_date",
    "AGE": "birth_date",
    "IP_ADDRESS": "network",
    "MAC_ADDRESS": "network",
    "MEDICAL_RECORD": "medical",
    "HEALTH_INSURANCE": "medical",
    "DE_HEALTH_INSURANCE": "medical",
    "UK_NHS": "medical",
    "US_MBI": "medical",
    "CREDENTIAL": "credential",
}
"""By the recognisers' kinds; every other kind is a number of an identity."""


def find_all(texts: Sequence[str]) -> list[list[Found]]:
    """The `Detector` of stage `ingest`."""
    return [
        [Found(span.start, span.end, CATEGORIES.get(span.kind, "identity")) for span in sorted(spans)]
        for spans in engine.find_all(texts)
    ]
