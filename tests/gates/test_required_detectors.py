"""Detectors that policy asks owners for: which are missing, and what is said before a run and at the data gate."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infra.cli.gates import page
from infra.console.views import gate_dataset
from tasks.core.errors import Refused
from tasks.core.records.record import write_table
from tasks.gates import cases, run_detectors
from tasks.gates.dataset_profile.required_detectors import missing_detectors
from tasks.gates.evidence import verify_checks
from tasks.policy.explanation import explanation_lines
from tasks.policy.gate_rules import DETECTOR_CHECK, GateRules, RequiredDetector
from tasks.policy.tier import Tier
from tasks.runs.requests.expected_failures import find_missing_detectors
from tasks.sources.owner_detectors import DeclaredDetector
from tasks.sources.sources import Sources
from tests.governed import datasets
from tests.governed.house import POLICY, House, reload
from tests.stages.data.build import record, source

TEMPLATES = Path(page.__file__).parents[2] / "console" / "templates"
OWN = {"name": "ner", "kind": "transformers", "path": "m", "sha256": "a" * 64, "labels": {"PER": "name", "O2": None}}


def asked(*rules: dict[str, Any]) -> list[RequiredDetector]:
    return [RequiredDetector.model_validate(rule) for rule in rules]


def detectors(*some: tuple[list[str], list[str]]) -> dict[str, DeclaredDetector]:
    made = [{"kind": "spacy", "sha256": "0" * 64, "categories": a, "languages": b} for a, b in some]
    return {str(place): DeclaredDetector.model_validate(each) for place, each in enumerate(made)}


@pytest.mark.parametrize(
    ("rules", "declared", "rows", "wanted"),
    [
        ([{"categories": ["name"]}], [], {"de": 7}, ["de 7"]),
        ([{"categories": ["name"], "languages": ["fr"]}], [], {"de": 7}, []),
        ([{"categories": ["name"]}], [(["name"], [])], {"de": 7, "en": 9}, []),
        ([{"categories": ["name"]}], [(["name"], ["de"])], {"de": 7, "en": 9}, ["en 9"]),
        ([{"categories": ["name", "address"]}], [(["name"], []), (["address"], ["de"])], {"de": 7}, []),
        ([{"categories": ["name"], "languages": ["de"]}], [], {"und": 8}, ["und 8"]),
        ([{"categories": ["name"], "languages": ["de"]}], [(["name"], ["de"])], {"und": 8}, []),
        ([{"categories": ["name"], "languages": ["de"]}], [], {"de-AT": 8, "Deu.": 9, "nl": 1}, ["Deu. 9, de-AT 8"]),
        ([{"categories": ["name"], "languages": ["de"]}], [(["name"], ["de"])], {"de-AT": 8, "Deutsch": 9}, []),
        ([{"categories": ["name"]}], [], {"de": 1, "<b>": 2, "x" * 99: 5},
         [f"(rare) 3, {'x' * 60}… 5"]),
    ],
)  # fmt: skip
def test_records_that_no_required_detector_reads_are_counted_by_source_and_category(
    rules: list[Any], declared: list[Any], rows: dict[str, int], wanted: list[str]
) -> None:
    counts = {("src", language): count for language, count in rows.items()}
    found = list(missing_detectors(asked(*rules), {"src": detectors(*declared)}, counts))
    assert found == [f"src: no detector for name reads its records (by language: {text})" for text in wanted]


WANTED = "\n        detectors: [{categories: [name], languages: [de]}]\n        checks:"


def gate_with_rows(house: House, **fields: Any) -> None:
    """Put a dataset of eight German records into the run, whose source says `fields`."""
    import pyarrow as pa

    from tasks.core.records.record import RECORD_SCHEMA

    reload(house, POLICY.replace("\n        checks:", WANTED, 1))
    datasets.put(house.layout, datasets.dataset({"src": datasets.origin(20, **fields)}), **fields)
    rows = [record("x", number=number, language="de") for number in range(8)]
    for side in ("train", "test"):
        write_table(
            pa.Table.from_pylist(rows, schema=RECORD_SCHEMA), house.layout.artefacts("split") / f"{side}.parquet"
        )


def test_the_data_gate_fails_without_the_detector_and_says_what_to_do(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    gate_with_rows(house)
    evidence = house.ask()
    (check,) = [it for it in evidence.checks if it.name == DETECTOR_CHECK]
    assert (check.verdict, check.value) == ("failed", 1)
    assert check.why == "src: no detector for name reads its records (by language: de 16)"
    (case,) = cases.read_cases(house.ledger, evidence.run)
    page.print_evidence(case, house.judge(evidence), house.ledger, house.governance)
    told = " ".join(capsys.readouterr().out.split())
    assert f"what is behind '{DETECTOR_CHECK}': hallmark data detectors {evidence.run}" in told
    assert "none: Hallmark's recognisers alone" in told
    with pytest.raises(Refused, match="checks are not those"):
        verify_checks(evidence.model_copy(update={"checks": evidence.checks[:-1]}), house.governance.policy)


def test_the_data_gate_passes_with_it_and_shows_its_finds(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    gate_with_rows(house, detectors=[OWN])
    found = datasets.origin(20, detectors=[OWN]) | {"detected": {"ner": {"name": {"found": 9, "added": 4}}}}
    datasets.put(house.layout, datasets.dataset({"src": found}), detectors=[OWN])
    evidence = house.ask()
    assert {it.name: it.verdict for it in evidence.checks}[DETECTOR_CHECK] == "passed"
    (case,) = cases.read_cases(house.ledger, evidence.run)
    page.print_evidence(case, house.judge(evidence), house.ledger, house.governance)
    text = "ner (transformers, SHA-256 aaaaaaaaaaaa…): name 9 found, 4 of them by it alone"
    assert text in " ".join(capsys.readouterr().out.split())
    (shown,) = gate_dataset.gate_sources(evidence)
    assert shown.detectors == [text] and "source.detectors" in (TEMPLATES / "gate.html").read_text()
    told = run_detectors.read_run_detectors(
        house.ledger, house.layout, house.params, house.governance.policy, evidence.run
    )
    assert [(it.category, it.found, it.added) for it in told.finds] == [("name", 9, 4)] and told.missing.value == 0
    forged = datasets.origin(20, detectors=[OWN | {"sha256": "b" * 64}])
    datasets.put(house.layout, datasets.dataset({"src": forged}), detectors=[OWN])
    with pytest.raises(Refused, match="what it says of src"):
        house.collect()


def test_policy_says_it_in_words_and_only_at_the_data_gate(house: House) -> None:
    reload(house, POLICY.replace("\n        checks:", WANTED, 1))
    lines = "\n".join(explanation_lines(house.governance.policy, house.governance.people))
    assert f"checks that {DETECTOR_CHECK}: name in records in de" in lines
    rules = GateRules.model_validate({"detectors": [{"categories": ["name"]}]})
    assert "detectors" not in GateRules().model_dump() and "detectors" in rules.model_dump()
    with pytest.raises(ValidationError, match="the data gate alone"):
        Tier.model_validate({"gates": {"evaluation": rules}})
    with pytest.raises(ValidationError, match="twice"):
        GateRules.model_validate(
            {"detectors": [{"categories": ["name"]}], "checks": [{"name": DETECTOR_CHECK, "fact": "a.b", "at_most": 0}]}
        )


def test_what_is_missing_in_any_case_is_said_before_the_run(tmp_path: Path) -> None:
    tier = Tier.model_validate({"gates": {"data": {"detectors": [{"categories": ["name"], "languages": ["en"]}]}}})
    by_column = {"mapping": {"prompt": "text", "response": "label", "language": "lang"}, "constants": {"task": "t"}}
    some = [
        source("a.csv", id="tickets"),
        source("a.csv", id="chats", detectors=[OWN | {"languages": ["de"]}]),
        source("a.csv", id="own", detectors=[OWN]),
        source("a.csv", id="mixed", **by_column),
    ]
    (failure,) = find_missing_detectors(Sources(sources=some), tier)
    assert (failure.gate, failure.check, failure.waived_by) == ("data", DETECTOR_CHECK, None)
    assert failure.reasons == [
        f"source {name}: no detector for name reads records in en" for name in ("tickets", "chats")
    ]
    assert not list(find_missing_detectors(Sources(sources=some[2:]), tier))
