"""Checks of the attestations in standard formats, which are recomputed from the release's other files and compared."""

from collections.abc import Iterator
from typing import Any

from tasks.core.errors import Refused
from tasks.registry.release import bundle, contents, gate_results, model_signature, provenance, summary
from tasks.registry.release.promotions import Promotion
from tasks.registry.release.report import Check
from tasks.registry.verify.attestations import Attestations
from tasks.trust import dsse


def verify_standard_formats(attested: Attestations, promotion: Promotion, listing: dict[str, str]) -> Iterator[Check]:
    gate_key, payload = attested.promotion_keyid, bundle.files_below(listing, bundle.PAYLOAD)
    for gate, evidence in attested.evidence.items():
        result = gate_results.result_predicate(evidence, promotion.approved_by.get(gate, []))
        about = {evidence.subject.stage: evidence.subject.sha256}
        _require_same(attested, gate_results.result_path(gate), gate_results.PREDICATE_TYPE, about, result)
    yield _passed_check("test results", "each gate's in-toto test result says what its evidence and decisions say")
    made = provenance.provenance_predicate(promotion, attested.manifest, attested.dataset, listing, gate_key)
    _require_same(attested, provenance.PATH, provenance.PREDICATE_TYPE, payload, made)
    text = f"made by run {promotion.run} at commit {promotion.commit[:12]}, asked for by {promotion.requested_by}"
    yield _passed_check("provenance", f"SLSA provenance: {text}")
    decided = summary.summary_predicate(promotion, listing, gate_key)
    _require_same(attested, summary.PATH, summary.PREDICATE_TYPE, payload, decided)
    yield _passed_check("summary", "the SLSA verification summary is about these files and this policy")
    yield _passed_check("model signature", _check_model_signature(attested, payload))


def _require_same(
    attested: Attestations, place: str, form: str, subject: dict[str, str], predicate: dict[str, Any]
) -> None:
    if attested.verify_gate_signed(place) != dsse.make_statement(form, subject, predicate):
        raise Refused(f"{place} says something else than what the release's other files say")


def _check_model_signature(attested: Attestations, payload: dict[str, str]) -> str:
    place = f"{bundle.ATTESTATIONS}/{model_signature.SIGNATURE}"
    signature = contents.parse_json(attested.files.file_bytes(place), place)
    public_pem = attested.files.file_bytes(f"{bundle.ATTESTATIONS}/{model_signature.PUBLIC_KEY}")
    files = {name.removeprefix(f"{bundle.PAYLOAD}/"): sha256 for name, sha256 in payload.items()}
    model_signature.verify_signature(signature, public_pem, files)
    return f"OpenSSF Model Signing over the {len(files)} files of the payload, by the key in model-signing.pub"


def _passed_check(about: str, text: str) -> Check:
    return Check(about=about, state="ok", text=text)
