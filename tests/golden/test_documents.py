"""Documents and tables that the golden past of version 1 lacks: each is read with its bytes, and says what it said."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from infra import formats
from tasks.core.documents.document import Document
from tasks.core.records import synthetic
from tasks.declarations.signed_declaration import DeclaredSource

FOLDER = Path(__file__).parent / "documents"
SUMS = dict(line.split()[::-1] for line in (FOLDER / "sha256sums.txt").read_text().splitlines())
MODELS = {each.name: each.model for each in formats.FORMATS}
BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
TYPE = re.compile(rb"urn:hallmark:([a-z-]+):(v\d)")


def read(name: str) -> Any:
    return MODELS[name].from_bytes((FOLDER / f"{name}.json").read_bytes())


def types_within(data: bytes) -> set[str]:
    """The documents that a file names, also in signed payloads."""
    found = {b"-".join(match.groups()).decode() for match in TYPE.finditer(data)}
    for match in BASE64.finditer(data):
        whole = match[0].rstrip(b"=")
        if (payload := base64.b64decode(whole[: len(whole) // 4 * 4])).startswith(b"{"):
            found |= types_within(payload)
    return found


def test_every_format_has_a_golden_document() -> None:
    past = [path.read_bytes() for path in (FOLDER.parent / "v1").rglob("*.json*")]
    known = set[str]().union(*map(types_within, past), {path.stem for path in FOLDER.glob("*.json")})
    assert MODELS.keys() <= known, "add a document of the new format to tests/golden/documents"


@pytest.mark.parametrize("name", SUMS)
def test_no_golden_document_was_made_anew(name: str) -> None:
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == SUMS[name]
    if name.endswith(".json"):
        document = read(name.removesuffix(".json"))
        if isinstance(document, Document):
            assert document.serialised == (FOLDER / name).read_bytes() and document.sha256 == SUMS[name]


def test_evidence_keeps_profile_shifts_coverage_and_templates() -> None:
    evidence = read("evidence-v1")
    assert evidence.profile.rows == 1044 and evidence.profile.categories["language"] == {"de": 397, "en": 647}
    assert [shift.field for shift in evidence.shifts] == ["language", "label"] and evidence.prompts[
        "utility"
    ].version == 2
    assert evidence.facts["coverage.gaps"].note.endswith("0 of 900 records are refuse, required 27")
    assert evidence.facts["templates.breaches"].value == 0 and evidence.facts["validate.synthetic_auc"].low < 0.6
    assert evidence.dataset.sources["made"].synthetic == 149 and evidence.dataset.sources["real"].synthetic is None


def test_a_declaration_keeps_generator_and_parents() -> None:
    declared = read("declaration-v1").declared
    assert isinstance(declared, DeclaredSource)
    assert (
        declared.source.constants.generator == "paraphraser-7b 1.4" and declared.source.mapping.parents == "made_from"
    )


def test_the_table_of_synthetic_records_keeps_parents_and_provenance() -> None:
    path, ids = FOLDER / synthetic.SYNTHETIC_FILE, [f"{number:032x}" for number in range(6)]
    assert synthetic.read_parents(path) == {ids[3]: [ids[1], ids[2]], ids[4]: [ids[3]], ids[5]: []}
    found = synthetic.read_provenance(path, ids[4])
    assert found == ("Générateur 2; temperature 0.7", "sha256:" + "a" * 64, [ids[3]])
    assert synthetic.find_descendants(synthetic.read_parents(path), [ids[1]]) == {ids[3], ids[4]}


def test_evaluation_suites_keep_judges_cases_and_variants() -> None:
    pushed, names = read("evaluation-suites-v1").suites
    assert pushed.judge.texts == ["pineapple"] and pushed.cases[1].judge.kind == "expected"
    assert [turn.role for turn in pushed.cases[1].turns] == ["user", "assistant", "user"]
    assert names.derived.compare_with == "first_variant" and names.derived.variants[1].transform == "upper_case"


def test_a_review_keeps_its_figures_and_the_order_of_answers() -> None:
    result, pairs = read("review-result-v1"), read("review-pairs-v1")
    assert (result.preference.value, result.alpha.value, result.judges["exact_match"].kappa.pairs) == (0.75, None, 8)
    assert [pair.first for pair in pairs.pairs] == ["candidate", "other"] and pairs.pairs[1].suite == "pushed"
