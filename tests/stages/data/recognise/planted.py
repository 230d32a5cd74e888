"""Support texts with planted values and their truth, from templates that no rule was written against.

Whoever changes a rule because of a text here must write new templates: these would no longer say how rules do on text
that they have not seen. Values are faker's (MIT) or made here with right check digits.
"""

import random
import re
import string
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import NamedTuple

from tasks.inquiry.planted_defects import character_score
from tasks.inquiry.planted_defects.character_score import CategoryCounts, CharacterScore, count_characters
from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.recognisers.data import lists
from tasks.stages.data.protect.recognisers.names import known_words, lower_case
from tasks.stages.data.protect.recognisers.names import lists as names

ENGLISH = """
We booked two rooms for {name} and her mother, arriving on Friday.
Ever since {first} took over the desk, nobody answers {email} any more.
The number I gave you, {phone}, belongs to my office.
Kindly send the cheque to {address} before the end of the month.
On the statement a debit towards {iban} shows up that I never ordered.
Could you check if {card} was the one I paid with in March?
{name}, whose birthday is {birth_date}, wants to open a second contract.
The form asks for a social security number, mine is {identity}.
Our firewall dropped packets coming from {network} during the night.
Hospital file, medical record number {medical}, must be faxed by noon.
Account no. {account} was closed, yet the fee was taken again.
Somebody leaked this in a ticket: {credential}
Sincerely, {name}
Hello {first}, did you have time to look at the draft?
{name} <{email}> wrote last week that the boiler leaks.
Please stop calling {phone}; text {phone} if it cannot wait.
Between {name} and {name} there is a dispute over the deposit.
I asked Professor {last} for the report twice.
The courier rang at {address}, but nobody lives there now.
Visa ending soon: {card}, please issue a new one.
my daughter {first} forgot her login again
For {name} the limit must be raised, see the note by {first}.
Log entry: user={email} ip={network} result=denied
Because of his {health}, he cannot climb the stairs: he has {health}.
I was diagnosed with {health} last winter and need the form.
Refund goes to {name}, {iban}, reference holiday flat.
Date of birth {birth_date}, surname {last}, that is all I know.
"I never signed it," said {name}, "and {first} can confirm."
Who is {name} and why does she have access to my files?
Tenant {name} moved from {address} to {address}.
"""
GERMAN = """
Für {name} wurden zwei Zimmer gebucht, Anreise am Freitag.
Seit {first} die Leitung hat, kommt von {email} keine Antwort mehr.
Unter der Nummer {phone} geht nie jemand ans Telefon.
Senden Sie den Scheck bitte an {address}, möglichst noch diese Woche.
Auf dem Auszug steht eine Abbuchung zugunsten von {iban}, die ich nicht kenne.
Habe ich im März wirklich mit der Karte {card} bezahlt?
{name}, geboren am {birth_date}, möchte einen zweiten Vertrag abschließen.
Für das Formular brauche ich die Steuer-ID, sie lautet {identity}.
In der Nacht kamen viele Anfragen von {network}.
Hochachtungsvoll
{name}
Hallo {first}, hattest du schon Zeit für den Entwurf?
Zwischen {name} und {name} gibt es Streit um die Kaution.
Ich habe Frau Professor {last} zweimal um den Bericht gebeten.
Der Bote war in {address}, dort wohnt aber niemand mehr.
Wegen meiner {health} brauche ich einen Termin im Erdgeschoss.
Meine Tochter {first} hat ihr Passwort vergessen.
Kundennummer {account}, die Gebühr wurde wieder abgebucht.
Das stand im Protokoll: {credential}
Die Erstattung geht an {name}, {iban}.
Wer ist {name} und warum sieht sie meine Akten?
"""
CLEAN = """
The blue model is sold out until Thursday, the green one ships today.
Error 0x80070057 appears after step 3 of the Setup Wizard.
Your basket holds 3 items, total 148.50 EUR, delivery 4.90.
Which Savings Plan has the better rate, Basic or Extra?
Flight at 07:45 from Gate B12, boarding closes at 07:25.
The warranty ends 24 months after 2023-06-30 for order 7781-20394.
Section 12.3.1 of the Terms says that refunds take 10 days.
Nothing happens when I press Save in the Settings menu.
Does insurance cover migraine or depression at all?
Kann ich das Abo Ende März kündigen und die Prämie behalten?
Der Fehler 0x80070057 kommt nach Schritt 3 der Einrichtung.
Im Warenkorb liegen 3 Artikel für zusammen 148,50 Euro.
Die Garantie endet 24 Monate nach dem 30.06.2023.
Welcher Tarif ist günstiger, Basis oder Komfort?
"""
CATEGORY: dict[str, Category] = {"first": "name", "last": "name"}
"""Of gaps that are not called as their class is."""
GAP = re.compile(r"\{(\w+)\}")
LETTERS_DIGITS = string.ascii_letters + string.digits


class Planted(NamedTuple):
    text: str
    truth: list[DetectedSpan]


class Values:
    """Values of one locale, from one seed."""

    def __init__(self, locale: str, seed: int) -> None:
        from faker import Faker  # half a second that collecting tests need not take

        self.fake = Faker(locale)
        self.fake.seed_instance(seed)
        self.rng = random.Random(seed)
        self.german = locale.startswith("de")
        self.first, self.last, self.email = self.fake.first_name, self.fake.last_name, self.fake.email
        self.phone = self.fake.phone_number

    def make(self, gap: str) -> str:
        return str(getattr(self, gap)())

    def name(self) -> str:
        return f"{self.first()} {self.last()}"

    def iban(self) -> str:
        compact = self.fake.iban()
        return self.rng.choice([compact, self._apart(compact)])

    def card(self) -> str:
        number = self.fake.credit_card_number("visa16")
        return self.rng.choice([number, self._apart(number)])

    def address(self) -> str:
        return self.fake.address().replace("\n", ", ")

    def birth_date(self) -> str:
        form = "%d.%m.%Y" if self.german else self.rng.choice(["%m/%d/%Y", "%Y-%m-%d"])
        return self.fake.date_of_birth().strftime(form)

    def identity(self) -> str:
        if self.german:
            return self._tax_id()
        return f"{self.rng.randint(100, 665)}-{self.rng.randint(10, 99)}-{self._digits(4)}"

    def network(self) -> str:
        return self.rng.choice([self.fake.ipv4(), self.fake.ipv6()])

    def medical(self) -> str:
        return self.rng.choice([self._digits(8), f"P{self._digits(7)}"])

    def account(self) -> str:
        return self._digits(9)

    def credential(self) -> str:
        key = "".join(self.rng.choices(LETTERS_DIGITS, k=36))
        return self.rng.choice([f"ghp_{key}", f"AKIA{''.join(self.rng.choices(string.ascii_uppercase, k=16))}"])

    def health(self) -> str:
        german = ["Migräne", "Epilepsie", "Depression", "Arthritis", "Herzinsuffizienz"]
        english = ["asthma", "epilepsy", "diabetes", "arthritis", "multiple sclerosis", "migraines"]
        return self.rng.choice(german if self.german else english)

    def _digits(self, count: int) -> str:
        return "".join(self.rng.choices(string.digits, k=count))

    def _tax_id(self) -> str:
        ten = self.rng.sample(string.digits[1:], 9)
        ten.append(self.rng.choice(ten))
        product = 10
        for digit in ten:
            product = ((product + int(digit)) % 10 or 10) * 2 % 11
        return "".join(ten) + str((11 - product) % 10)

    @staticmethod
    def _apart(compact: str) -> str:
        return " ".join(compact[at : at + 4] for at in range(0, len(compact), 4))


def planted(each: int, seed: int) -> list[Planted]:
    """Every template `each` times, English ones with American and British values by turns; and the clean texts."""
    made = [Planted(line, []) for line in (CLEAN.strip().splitlines()) * each]
    english = cycle([Values("en_US", seed), Values("en_GB", seed)])
    german = Values("de_DE", seed)
    for _ in range(each):
        made += [_filled(template, next(english)) for template in _templates(ENGLISH)]
        made += [_filled(template, german) for template in _templates(GERMAN)]
    return made


def _templates(text: str) -> list[str]:
    """One a line; a closing goes on in the next."""
    return text.strip().replace("Hochachtungsvoll\n", "Hochachtungsvoll\t").replace("\t", "\r").split("\n")


def _filled(template: str, values: Values) -> Planted:
    text, truth, at = "", [], 0
    for gap in GAP.finditer(template):
        text += template[at : gap.start()].replace("\r", "\n")
        value = values.make(gap[1])
        truth.append(DetectedSpan(len(text), len(text) + len(value), CATEGORY.get(gap[1], gap[1])))  # type: ignore[arg-type]
        text, at = text + value, gap.end()
    return Planted(text + template[at:].replace("\r", "\n"), truth)


def scores(cases: Sequence[Planted], found: Sequence[Sequence[DetectedSpan] | None]) -> dict[str, CharacterScore]:
    """By class, and for `all`."""
    counted: CategoryCounts = Counter()
    for case, spans in zip(cases, found, strict=True):
        assert spans is not None
        counted.update(count_characters(case.text, case.truth, spans))
    return character_score.score_categories(counted)


CACHED = (
    *(
        names.given_names,
        names.family_names,
        names.common_family_names,
        names.wordnet_words,
        names.frequent_words,
        known_words.is_known_word,
        known_words.is_ordinary_word,
    ),
    *(lower_case.unambiguous_given_names, lower_case.unambiguous_family_names),
)


@contextmanager
def names_held_out(share: float) -> Iterator[None]:
    """That share of all names taken out of the lists, always the same ones: faker's names are in them."""
    read = lists.read_words

    def fewer(name: str) -> frozenset[str]:
        kept = read(name)
        if name not in ("given", "family", "family_common"):
            return kept
        return frozenset(word for word in kept if zlib.crc32(word.encode()) % 1000 >= share * 1000)

    _forget()
    lists.read_words = fewer
    try:
        yield
    finally:
        lists.read_words = read
        _forget()


def _forget() -> None:
    for function in CACHED:
        function.cache_clear()
