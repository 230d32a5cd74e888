"""Identifiers as the public numbering plans of many countries write them, in sentences, with their truth.

Sources of the forms: ITU-T E.123 and the national telephone plans, ISO 13616 and 7812, RFC 4291 and 5952, IEEE 802,
SSA, IRS, CMS, HMRC, DVLA, NHS, BMI, BZSt. Forms and sentences fall into two halves as in `keys`: what is missed in the
development half may correct a rule, of the held-out half nobody looks at more than the score.
"""

import calendar
import random
import re
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan
from tests.stages.data.recognise.keys import is_held_out, random_text
from tests.stages.data.recognise.planted import Planted

if TYPE_CHECKING:
    from faker import Faker

FORMS = """
phone ({N3}) {N3}-{D4}|phone {N3}.{N3}.{D4}|phone +1 {N3} {N3} {D4}|phone 1-{N3}-{N3}-{D4}|phone {N3}-{N3}-{D4} x{D3}
phone 07{D3} {D6}|phone 020 {N4} {D4}|phone +44 (0)20 {N4} {D4}|phone +44 7{D3} {D3} {D3}|phone 01{N2}2 {D6}
phone 0{N3} / {N1}{D6}|phone 017{N1}-{N1}{D7}|phone +49 {N3} {N1}{D6}|phone 0049 17{N1} {D8}|phone (0{N2}) {N2}{D2} {D2}
phone 0{N2}/{N1}{D5}-{D2}|phone +43 1 {N1}{D6}|phone 0664 {N1}{D6}|phone +41 79 {N1}{D2} {D2} {D2}
phone 044 {N3} {D2} {D2}
phone 06 {D2} {D2} {D2} {D2}|phone +33 1 {D2} {D2} {D2} {D2}|phone 087 {N3} {D4}|phone 04{D2} {D3} {D3}
phone (02) {N4} {D4}
phone 021 {N3} {D4}|phone +91 9{D4} {D5}|phone +34 6{D2} {D3} {D3}|phone +39 3{D2} {D7}|phone 06-{N1}{D7}
phone +48 {N3} {D3} {D3}|phone 070-{N3} {D2} {D2}|phone +45 {N1}{D1} {D2} {D2} {D2}|phone +353-87-{N3}-{D4}
phone +1.{N3}.{N3}.{D4}
birth_date {day} {month} {year}|birth_date {month} {day}, {year}|birth_date {d2}/{m2}/{year}|birth_date {year}-{m2}-{d2}
birth_date {d2}.{m2}.{year}|birth_date {d2}.{m2}.{y2}|birth_date {day}. {monat} {year}|birth_date {d2}-{mon}-{year}
birth_date the «{day}th of {month} {year}»|birth_date {month} {day}th, {year}|birth_date {day} {mon} {y2}
birth_date {m2}-{d2}-{year}
birth_date {mon}. {day}, {year}|birth_date {year}/{m2}/{d2}|birth_date {d2} {m2} {year}|birth_date {day} {monat} {year}
network {v4}|network «{v4}»:{D4}|network {v6}|network {v6s}|network [«{v6s}»]:443|network {h2}:{h2}:{h2}:{h2}:{h2}:{h2}
network {h2}-{h2}-{h2}-{h2}-{h2}-{h2}|network {H4}.{H4}.{H4}|network «{v4}»/24|network 2001:DB8:{H4}::{H4}
network fe80::{H4}:{H4}
card {amex4}|card {visa}|card {visa-}|card {mc4}|card {diners}|card {visa.}|card {mc}|card {disc4}
iban {de4}|iban {de}|iban {gb4}|iban {gb}|iban {fr4}|iban {nl4}|iban {at4}|iban {de-}|iban {ch4}|iban {delow}
email {l}.{l}@{l}.com|email {l}+{l}@{l}.co.uk|email {l}_{D2}@{l}-{l}.de|email {l}@mail.{l}.org|email {L2}{D3}@{l}.io
email {l}.{l} [at] {l} [dot] com|email {l} (at) {l}.de|email {l}(at){l}(punkt)de|email {l}@{l}.museum
email {l} at gmail dot com
"""
SENTENCES = """
phone After six you get hold of me under {phone}.|phone {phone} is the one I use now, forget the old one.
phone Ab sechs erreicht ihr mich unter {phone}, danke.|phone Meine neue lautet {phone}
phone Is {phone} yours? It rings all night.
phone Somebody with {phone} keeps bothering us.|phone Unser Büro: {phone}, immer besetzt.
phone the plumber left {phone} on a note
birth_date My wife, born {birth_date}, lost her card.|birth_date DOB: {birth_date}|birth_date Geb.-Datum: {birth_date}
birth_date The applicant was born in Leeds on {birth_date} and lives abroad.
birth_date geboren wurde er am {birth_date} in Ulm
birth_date Her birthday is {birth_date}, not the day you print.
birth_date You have my birth date wrong: it is {birth_date}.
birth_date Mein Geburtstag ist der {birth_date}|birth_date For the record, date of birth {birth_date}, blood group A.
birth_date Kind: Max, *{birth_date}|birth_date {birth_date} is when I was born
birth_date Birthdate on file: {birth_date}
network Too many requests from {network}, please unblock.|network Anmeldung von {network} um Mitternacht
network Our printer is {network} now.|network ping {network} times out
network Der Router {network} antwortet nicht mehr.
card I paid with {card}, expires next year.|card {card} was charged twice!|card Die Karte {card} geht nicht mehr.
card Please use {card} from now on.|card Belastet wurde {card}, warum?|card statement of {card} is missing
iban Send it to {iban} please.|iban Bitte auf {iban} überweisen.|iban {iban} is what the form shows
iban Lastschrift von {iban} zurück
email Write to {email} instead.|email {email} bekommt keine Rechnungen.|email cc {email}, thanks
email Meine ist {email} geworden
identity SSN «{ssn}» is on the form|identity my social is «{N3} {N2} {N4}»|identity ITIN «9{D2}-7{D1}-{D4}» was refused
identity NI number «{nino}»|identity My national insurance number is «{nino}», no letter came
identity Passport no. «{D9}» expires soon
identity passport «{U1}{D8}» was stolen|identity US passport number: «{D9}»
identity Reisepass «C{N2}X{N2}K{N2}1» ist abgelaufen
identity driver's license «{C1}{D7}» (California)|identity Florida DL «{C1}{D3}-{D3}-{D2}-{D3}-{D1}»
identity license no «{D3} {D3} {D3}», New York
identity driving licence number «MORGA6{D1}7054SM9IJ»|identity Führerscheinnummer «B072RRE2I55»
identity Personalausweis Nr. «L01X00T47»
identity Steuer-IdNr. «{N2} {D3} {D3} {D3}»|identity Sozialversicherungsnummer «15 070649 C 103»
identity ID card number «{C2}{D7}»
identity tax ID «{N2}-{D7}»|identity Ausweisnummer «{C1}{D8}» notiert|identity Green card number «{C3}{D10}»
identity TIN: «{D3}-{D2}-{D4}»
medical NHS number «{N3} {D3} {D4}»|medical my NHS no is «{N3}-{D3}-{D4}»|medical Medicare ID «1EG4-TE5-MK73»
medical MRN «{D7}»
medical Versichertennummer «{C1}{D9}»|medical insurance policy number «{C3}{D8}»|medical member ID «{C3} {D9}»
medical Patientennummer: «{D8}»
medical Krankenkasse, KVNR «{C1}{D9}»|medical health plan beneficiary number «{D10}»
medical medical record no. «{D2}-{D2}-{D2}»
medical group number «{D6}», subscriber «{C2}{D8}»
account account number «{D8}», sort code «{D2}-{D2}-{D2}»|account Kontonummer «{D3} {D3} {D3}»
account a/c «{D8}» at your branch
account routing number «{D9}»|account checking account #«{D10}»|account customer no. «{D3}-{D5}»
account Kundennummer: «{D9}»
account my client ID is «{D7}»|account BLZ «{D3} {D3} {D2}»|account Vertragsnummer «{C2}-{D8}»
account loan «{D10}» was paid|account acct «{D9}»
"""
NOTHING = """
The parcel weighs {N2}.{D2} kg and costs {N3}.{D2} EUR.|Order {D3}-{D7}-{D7} has not arrived.
Meeting on {d2}.{m2}.2026 at 14:30
Version {N1}.{D2}.{D1}.{D1} crashes|invoice {year}-{D6} of {d2}/{m2}/{year}|Error 0x{H8} in line {D4}
ticket {D6} is open since {month}
Artikel {D5}-{D3} ist ausverkauft|Die Lieferung vom {d2}.{m2}.2025 fehlt|ISBN 978-3-16-{D6}-1
Flight LH{D3} on {day} {month}
The score was {N2}:{N2} after {D2} minutes|Tracking 1Z{U6}{D10}|Rechnung RE-{D8} über {N3},{D2} Euro|part no {C3}-{D4}
It happened on {month} {day}, 2024 in shop {D3}|Raum {D1}.{D3} im {N1}. Stock|we have {N1},{D3},{D3} users
SKU {D12} is missing
"""
MONTHS = list(calendar.month_name)[1:]
MONATE = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober"]
MONATE += ["November", "Dezember"]
NETWORKS = {"amex": "amex", "visa": "visa16", "mc": "mastercard", "diners": "diners", "disc": "discover"}
SIZES = {"amex": (4, 6, 5), "diners": (4, 6, 4)}
LOCALES = {"de": "de_DE", "gb": "en_GB", "fr": "fr_FR", "nl": "nl_NL", "at": "de_AT", "ch": "de_CH"}
WRITTEN = rf"(?:{'|'.join([*NETWORKS, *LOCALES])})(?:low|[4.-])?"
GAP = re.compile(rf"\{{(day|d2|m2|month|monat|mon|year|y2|l|h2|v4|v6s?|ssn|nino|{WRITTEN})\}}")


def made(held_out: bool, each: int, seed: int) -> list[Planted]:
    """Every form of the half `each` times in sentences of its category and half; then sentences that hold nothing."""
    from faker import Faker  # as in planted.py

    rng, fake = random.Random(seed), Faker(["de_DE", "en_GB", "fr_FR", "nl_NL", "de_AT", "de_CH"])
    fake.seed_instance(seed)
    forms, sentences = _halves(FORMS, held_out), _halves(SENTENCES, held_out)
    texts = []
    for category, options in sentences.items():
        for form in forms.get(category, options):
            for _ in range(each):
                sentence = form if category not in forms else rng.choice(options)
                marked = sentence.replace(f"{{{category}}}", form if "«" in form else f"«{form}»")
                texts.append(_planted(_filled(marked, rng, fake), category))
    nothing = [entry for line in NOTHING.strip().split("\n") for entry in line.split("|")]
    plain = [entry for entry in nothing if is_held_out(entry) == held_out]
    return texts + [Planted(_filled(rng.choice(plain), rng, fake), []) for _ in range(len(texts) // 2)]


def _halves(text: str, held_out: bool) -> dict[Category, list[str]]:
    found = defaultdict[Category, list[str]](list)
    for entry in (entry for line in text.strip().split("\n") for entry in line.split("|")):
        category, form = entry.split(" ", 1)
        if is_held_out(entry) == held_out:
            found[category].append(form)  # type: ignore[index]
    return found


def _planted(marked: str, category: Category) -> Planted:
    """What stands in guillemets is the truth."""
    text, truth = "", []
    for place, part in enumerate(marked.replace("»", "«").split("«")):
        if place % 2:
            truth.append(DetectedSpan(len(text), len(text) + len(part), category))
        text += part
    return Planted(text, truth)


def _filled(marked: str, rng: random.Random, fake: "Faker") -> str:
    while gap := GAP.search(marked):
        marked = marked[: gap.start()] + _value(gap[1], rng, fake) + marked[gap.end() :]
    return random_text(marked, rng)


def _value(gap: str, rng: random.Random, fake: "Faker") -> str:
    month = rng.randint(1, 12)
    known = {
        "day": str(rng.choice([4, 9, 16, 27])),
        "d2": f"{rng.randint(1, 28):02}", "m2": f"{month:02}",
        "month": MONTHS[month - 1], "monat": MONATE[month - 1], "mon": MONTHS[month - 1][:3],
        "year": str(rng.randint(1940, 2008)), "y2": f"{rng.randint(40, 99)}",
        "l": fake.last_name().lower().replace(" ", ""),
        "h2": f"{rng.randint(0, 255):02X}", "v4": fake.ipv4(), "v6": fake.ipv6(),
        "v6s": f"2a02:{rng.randint(1, 9999)}::1",
        "ssn": f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",
        "nino": f"JG {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)} A",
    }  # fmt: skip
    return known[gap] if gap in known else _grouped(gap, fake)


def _grouped(gap: str, fake: "Faker") -> str:
    """Cards and IBANs: the network or country, then how it is written: 4 for groups, else what stands between them."""
    name, how = gap.rstrip("4-.").removesuffix("low"), gap[-1]
    if name in NETWORKS:
        number, sizes = fake.credit_card_number(NETWORKS[name]), SIZES.get(name, (4, 4, 4, 4))
    else:
        number, sizes = fake[LOCALES[name]].iban(), (4,) * 9
    if gap.endswith("low"):
        return number.lower()
    if how not in "4-.":
        return number
    ends = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    groups = (number[begin:end] for begin, end in pairwise(ends))
    return {"4": " "}.get(how, how).join(group for group in groups if group)
