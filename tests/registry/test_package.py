"""The stage `package`: what a release consists of, the same bytes for the same inputs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import ModelCard

from tasks.core.errors import InputError
from tasks.core.files import read_json, tree_digest, tree_manifest, write_json
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.core.params.training import Training
from tasks.core.payload import manifest
from tasks.gates import statement
from tasks.stages.package import package
from tests.governed.house import authority_of
from tests.registry.house import House

WHOLE: dict[str, Any] = {"lora_rank": None, "lora_alpha": None}


def make(layout: Layout) -> Path:
    House.pack(layout)
    return layout.artefacts("package") / "payload"


@pytest.fixture
def gated(evaluated: House) -> Layout:
    return evaluated.run("run-1")


def test_the_payload_has_all_its_parts(gated: Layout) -> None:
    payload = make(gated)
    assert list(tree_manifest(payload)) == [
        "README.md",
        "asking.json",
        "dataset/manifest.json",
        "evaluation/evaluations.json",
        "evaluation/leakage.json",
        "evaluation/metrics.json",
        "evaluation/report.html",
        "evaluation/suites.json",
        "manifest.json",
        "ml-bom.cdx.json",
        "model/adapter_config.json",
        "model/adapter_model.safetensors",
        "model/chat_template.jinja",
        "model/tokenizer.json",
        "params.yaml",
    ]
    facts = read_json(gated.artefacts("package") / "result.json")["facts"]
    assert facts["files"]["value"] == 15
    assert facts["bytes"]["value"] == sum(path.stat().st_size for path in payload.rglob("*") if path.is_file())


def test_the_manifest_leads_back_to_every_stage(gated: Layout) -> None:
    made = manifest.read_manifest(make(gated))
    assert made.stages["train"] == tree_digest(gated.artefacts("train"))
    assert made.stages["predict/candidate"] == tree_digest(gated.artefacts("predict/candidate"))
    assert set(made.inputs) == {"sources.json", "suites.json", "evaluations.json", "champion.json"}
    assert (made.name, made.tier, made.demo, made.method) == ("triage", "low", False, "lora")


def test_the_same_inputs_give_the_same_bytes_anywhere(gated: Layout, tmp_path: Path) -> None:
    make(gated)
    first = tree_digest(gated.artefacts("package"))
    elsewhere = Layout(tmp_path / "another" / "worktree")
    shutil.copytree(gated.root, elsewhere.root)
    shutil.rmtree(elsewhere.artefacts("package"))
    write_json(elsewhere.inputs_folder / "request.json", {"run_id": "another run by somebody else"})
    make(elsewhere)
    assert tree_digest(elsewhere.artefacts("package")) == first


def test_the_card_is_in_the_form_of_the_hub_and_says_what_the_facts_say(gated: Layout) -> None:
    card = ModelCard.load(make(gated) / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.language == ["de", "en"]
    assert card.data.library_name == "peft"
    metrics = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert metrics == {"exact_match": 0.8, "macro_f1": 0.7}
    for expected in (
        "Messages land in the wrong queue: “slow”.",
        "8 rows to train, 4 rows held out",
        "| tickets: Tickets of last year | owner | LicenseRef-internal |",
        "| evaluate.exact_match | 0.800 [0.750, 0.850] | share of right answers |",
        "| right answers (`evaluate.exact_match`) | lower end at least 0.7 | 0.800 [0.750, 0.850] |",
        "| adopted (`adoption`) | at least 0.5 | measured in production |",
        "| de | 2 | 0 |",
        "synthetic data only",
        "product (business), engineer (technical), owner (data)",
        "**Contact and escalation:** to the risk officer",
    ):
        assert expected in card.text, expected
    assert "Demonstration only" not in card.text
    assert "None" not in card.text and "{{" not in card.text


def test_an_unknown_licence_is_named_in_the_form_of_the_hub(gated: Layout) -> None:
    result = gated.artefacts("base_model") / "result.json"
    write_json(result, read_json(result) | {"licence": "LicenseRef-Acme"})
    card = ModelCard.load(make(gated) / "README.md")
    assert (card.data.license, card.data.license_name) == ("other", "LicenseRef-Acme")


def test_a_demo_run_says_so_on_what_it_makes(house: House) -> None:
    layout = house.ready("demo", demo=True)
    payload = layout.artefacts("package") / "payload"
    assert "Demonstration only" in (payload / "README.md").read_text()
    assert manifest.read_manifest(payload).demo


def test_the_bill_of_materials_is_valid_and_complete(gated: Layout) -> None:
    payload = make(gated)
    text = (payload / "ml-bom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    assert "timestamp" not in bom["metadata"]
    model = bom["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    weights = tree_manifest(payload / "model")["adapter_model.safetensors"]
    assert {"name": "hallmark:file:adapter_model.safetensors", "value": weights} in model["properties"]
    assert model["modelCard"]["considerations"]["useCases"] == ["suggest a queue"]
    assert {"name": "product (business owner)"} in model["authors"]
    metrics = {metric["type"]: metric for metric in model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]}
    assert metrics["evaluate.exact_match"]["confidenceInterval"] == {"lowerBound": "0.75", "upperBound": "0.85"}
    components = {component["bom-ref"]: component for component in bom["components"]}
    assert components["base-model"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert components["source:tickets"]["hashes"] == [{"alg": "SHA-256", "content": "1" * 64}]
    depends = {item["ref"]: item.get("dependsOn") for item in bom["dependencies"]}
    assert depends["model"] == ["base-model", "dataset"]


def test_other_weights_give_the_bill_another_serial_number(gated: Layout) -> None:
    serial = json.loads((make(gated) / "ml-bom.cdx.json").read_text())["serialNumber"]
    (gated.artefacts("train") / "adapter" / "adapter_model.safetensors").write_bytes(b"other")
    assert json.loads((make(gated) / "ml-bom.cdx.json").read_text())["serialNumber"] != serial


def test_a_whole_model_is_packaged_too(gated: Layout) -> None:
    adapter = gated.artefacts("train") / "adapter"
    (adapter / "adapter_model.safetensors").rename(adapter / "model.safetensors")
    adapter.rename(gated.artefacts("train") / "model")
    with pytest.raises(InputError, match=r"training\.method lora leaves adapter in .*, found model"):
        make(gated)
    read = params.load_params(gated.params_path)
    package.run(read.model_copy(update={"training": Training(method="full", **WHOLE)}), gated)
    payload = gated.artefacts("package") / "payload"
    assert (payload / "model" / "model.safetensors").exists()
    assert ModelCard.load(payload / "README.md").data.library_name == "transformers"


def test_an_experiment_is_packaged_and_marked(house: House) -> None:
    layout = house.begin("run-1")
    write_json(layout.authority_path, authority_of(house.governance, "experiment").model_dump(mode="json"))
    statement.write_experiment_statement(layout, "evaluation", house.governance)
    assert manifest.read_manifest(make(layout)).tier == "experiment"


@pytest.mark.parametrize("name", ["adapter_model.bin", "modeling.py", "state.pkl", "checkpoint.pt"])
def test_what_could_run_code_is_refused(gated: Layout, name: str) -> None:
    (gated.artefacts("train") / "adapter" / name).write_bytes(b"x")
    with pytest.raises(InputError, match=name):
        make(gated)
    assert not gated.artefacts("package").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: (run.artefacts("train") / "adapter" / "extra.json").symlink_to("/etc/hostname"), "symbolic link"),
        (lambda run: (run.artefacts("train") / "model").mkdir(), r"leaves adapter in .*, found adapter and model"),
        (lambda run: shutil.rmtree(run.artefacts("train") / "adapter"), r"leaves adapter in .*, found nothing"),
        (lambda run: shutil.rmtree(run.artefacts("clean")), "clean left no result"),
    ],
    ids=["a link in the model", "two models", "no model", "a stage that left nothing"],
)
def test_what_its_stages_do_not_leave_is_refused(gated: Layout, change: Callable[[Layout], object], told: str) -> None:
    change(gated)
    with pytest.raises(InputError, match=told):
        make(gated)


def test_a_missing_report_is_named(house: House) -> None:
    layout = house.begin("run-2")
    (layout.artefacts("evaluate") / "report.html").unlink()
    house.open(layout, "evaluation")
    with pytest.raises(InputError, match=r"artefacts/evaluate/report\.html"):
        make(layout)
