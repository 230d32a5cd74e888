"""Tools that know nothing of Hallmark read the parts of a release."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.graph import GATES
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER
from tasks.registry.release import gate_results, model_signature
from tasks.registry.verify import verification
from tasks.trust import keys, model_key
from tests.registry.house import FAILING, House

OTHERS = {
    "provenance.json": ("https://slsa.dev/provenance/v1", provenance_pb2.Provenance),
    "summary.json": ("https://slsa.dev/verification_summary/v1", vsa_pb2.VerificationSummary),
    **{
        f"results/{gate}.json": ("https://in-toto.io/attestation/test-result/v0.1", test_result_pb2.TestResult)
        for gate in GATES
    },
}


LATER = ("summary.json", "promotion.json", "ledger.json")


def read(folder: Path, name: str) -> Envelope:
    return Envelope.from_dict(json.loads((folder / "attestations" / name).read_bytes()))


def predicate(folder: Path, name: str) -> dict[str, Any]:
    return json.loads(read(folder, name).payload)["predicate"]


def test_any_dsse_verifier_reads_every_envelope(released: House, folder: Path) -> None:
    (known,) = released.governance.keys_of("gate")
    line = known.public_key
    gate = SSlibKey.from_crypto(keys.load_public_key(line), keyid=keys.fingerprint(line))
    stranger = SSlibKey.from_crypto(keys.load_public_key((released.state / "keys/owner.pub").read_text()))
    for name in [*OTHERS, "promotion.json", *(f"gates/{gate}.json" for gate in GATES)]:
        envelope = read(folder, name)
        envelope.verify([gate], 1)
        with pytest.raises(VerificationError):
            envelope.verify([stranger], 1)


@pytest.mark.parametrize("name", OTHERS)
def test_in_totos_own_parser_reads_each_statement(folder: Path, name: str) -> None:
    """The parser refuses fields that the specification does not have."""
    predicate_type, message = OTHERS[name]
    value = json.loads(read(folder, name).payload)
    parsed = json_format.ParseDict(value, StatementMessage())
    Statement.copy_from_pb(parsed).validate()
    assert parsed.predicate_type == predicate_type
    if name == "summary.json":
        # A list in SLSA's specification and everywhere in the wild; in-toto-attestation 0.9.3 has one string there.
        assert "SLSA_BUILD_LEVEL_1" in value["predicate"].pop("verifiedLevels")
    json_format.ParseDict(value["predicate"], message())


def test_provenance_names_all_that_the_model_was_made_of(released: House, folder: Path) -> None:
    told = predicate(folder, "provenance.json")
    definition = told["buildDefinition"]
    named = {item["name"]: next(iter(item["digest"].values())) for item in definition["resolvedDependencies"]}
    assert {
        "commit": "c0ffee" * 6 + "c0ff",
        "base-model": "0" * 64,
        "source/tickets": "1" * 64,
        "constraints.txt": files.sha256_bytes(b"torch==2.9\n"),
        "dataset": files.tree_digest(released.run("run-1").artefacts("split")),
    }.items() <= named.items()
    assert {"tasks", "inputs/sources.json"} <= set(named)
    assert definition["externalParameters"]["params"]["digest"]["sha256"] == files.sha256_file(
        folder / "payload" / "params.yaml"
    )
    (gate,) = (key.fingerprint for key in released.governance.keys_of("gate"))
    assert told["runDetails"]["builder"]["id"] == f"urn:hallmark:installation:{gate}"
    assert told["runDetails"]["metadata"]["invocationId"] == "run-1"
    about = {s["name"]: s["digest"]["sha256"] for s in json.loads(read(folder, "provenance.json").payload)["subject"]}
    assert about == {f"payload/{name}": sha for name, sha in files.tree_manifest(folder / "payload").items()}


def test_the_summary_is_about_policy_and_every_attestation(released: House, folder: Path) -> None:
    told = predicate(folder, "summary.json")
    policy = files.sha256_file(folder / "attestations" / "policy.json")
    assert told["policy"]["digest"]["sha256"] == policy == released.governance.policy.digest()
    assert told["verificationResult"] == "PASSED"
    inputs = {item["uri"].removeprefix("attestations/"): item["digest"]["sha256"] for item in told["inputAttestations"]}
    there = files.tree_manifest(folder / "attestations")
    assert inputs == {name: sha for name, sha in there.items() if name not in LATER}


def test_a_gate_passed_with_a_waiver_warns(house: House) -> None:
    layout = house.begin("run-1", facts=FAILING)
    told = gate_results.result_predicate(house.ask(layout, "evaluation"), ["product as product-owner"])
    assert told["result"] == "WARNED"
    assert told["warnedTests"] == ["good enough", "right answers"]
    assert told["passedTests"] == [
        CHECK_NAMES_OF_EVERY_TIER["evaluation"],
        "fast",
        "approved by product as product-owner",
    ]


def model_signing(folder: Path, key: Path) -> subprocess.CompletedProcess[str]:
    signature = folder / "attestations" / "model.sig"
    verify = ["verify", "key", folder / "payload", "--signature", signature, "--public_key", key]
    return subprocess.run([sys.executable, "-m", "model_signing", *verify], capture_output=True, text=True)


def test_model_signings_own_command_accepts_the_payload_and_nothing_else(released: House, folder: Path) -> None:
    key = folder / "attestations" / "model-signing.pub"
    done = model_signing(folder, key)
    assert done.returncode == 0, done.stderr
    extra = folder / "payload" / "notes.txt"
    extra.write_text("nobody signed this")
    assert model_signing(folder, key).returncode != 0
    extra = extra.rename(folder / "payload" / ".gitattributes")
    assert model_signing(folder, key).returncode == 0, "its default passes over what git would keep beside a model"
    assert "not listed" in verification.verify_release(folder, released.governance).against
    extra.unlink()
    (folder / "payload" / "README.md").write_text("better than it was")
    assert model_signing(folder, key).returncode != 0


def signed_anew(house: House, change: Callable[[dict[str, Any]], object]) -> tuple[dict[str, Any], dict[str, str]]:
    """model.sig over a statement that was changed, by the installation's own key, and the payload that it lists."""
    made = json.loads((house.bundle() / "attestations" / "model.sig").read_bytes())
    envelope = Envelope.from_dict({**made["dsseEnvelope"], "signatures": []})
    said = json.loads(envelope.payload)
    listed = {item["name"]: item["digest"] for item in said["predicate"]["resources"]}
    change(said)
    envelope.payload = json.dumps(said).encode()
    key = serialization.load_pem_private_key(model_key.private_key_path(house.state / "keys").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = base64.b64encode(key.sign(envelope.pae(), ec.ECDSA(hashes.SHA256()))).decode()
    payload = base64.b64encode(envelope.payload).decode()
    inner = {**made["dsseEnvelope"], "payload": payload, "signatures": [{"sig": signature, "keyid": ""}]}
    return {**made, "dsseEnvelope": inner}, listed


CONTRADICTIONS = {
    "its subject is another": lambda said: said["subject"][0]["digest"].update(sha256="0" * 64),
    "a file stands twice": lambda said: said["predicate"]["resources"].append(said["predicate"]["resources"][0]),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_model_signature_that_contradicts_itself_is_refused(released: House, case: str) -> None:
    pem = (released.bundle() / "attestations" / "model-signing.pub").read_bytes()
    made, payload = signed_anew(released, lambda said: None)
    model_signature.verify_signature(made, pem, payload)
    made, _ = signed_anew(released, CONTRADICTIONS[case])
    with pytest.raises(Refused, match="contradicts itself"):
        model_signature.verify_signature(made, pem, payload)
