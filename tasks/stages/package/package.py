"""Stage `package`: build the payload of a release. People then decide on exactly these files.

Writes artefacts/package/payload/:

    model/                adapter or full model, tokenizer and chat template, as safetensors, JSON and Jinja files only
    README.md             model card in Hugging Face's format
    ml-bom.cdx.json       bill of materials as a CycloneDX ML-BOM
    evaluation/           metrics.json, report.html, leakage.json, the evaluation suites and suites.json with their
                          results
    dataset/              manifest.json of the dataset
    params.yaml           parameters of the run
    asking.json           system prompts, decoding and precision of the evaluation (core/payload/inference_config.py)
    manifest.json         digests of inputs, code and earlier stages (core/payload/manifest.py)
"""

import shutil
from pathlib import Path

from tasks.core import facts, files
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload import inference_config, manifest
from tasks.core.payload.manifest import Manifest
from tasks.core.progress import print_progress
from tasks.stages.package import ml_bom, model_card
from tasks.stages.package.params import Params
from tasks.trust import gate_statement

SAFE_SUFFIXES = (".safetensors", ".json", ".jinja")
"""Allowed file name extensions in payload/model. Reading a file with one of these extensions cannot execute code."""
PEFT_README = "README.md"
"""Name of the model card template that PEFT writes next to an adapter. It is not copied, because a release has its own
model card."""


def run(params: Params, layout: Layout) -> Manifest:
    """Build the payload.

    Raises:
        Refused: The evaluation gate has not passed.
        InputError: A file of an earlier stage is missing, or the model has files that could execute code.
    """
    gate_statement.require_gate(layout, "evaluation")
    authority = gate_statement.read_authority(layout)
    gate = gate_statement.verify_gate(layout, "evaluation", authority.gate_public_keys, authority.policy_sha256)
    print_progress("package", "digesting what every stage left")
    described = manifest.build_manifest(
        layout, name=params.use_case.name, method=params.training.method, tier=authority.tier, demo=gate.demo
    )
    with files.atomic_folder(layout.artefacts("package")) as folder:
        payload = folder / "payload"
        print_progress("package", "copying weights and reports")
        _copy_payload_files(layout, payload, params.training.method)
        files.write_json(
            payload / inference_config.FILE_NAME,
            inference_config.settings_of_run(layout, params.prompts, params.evaluation).model_dump(mode="json"),
        )
        files.write_json(payload / "manifest.json", described.model_dump(mode="json"))
        parts = model_card.gather_card_data(params, layout, described)
        files.write_bytes(payload / "README.md", model_card.render_model_card(parts).encode())
        files.write_bytes(
            payload / "ml-bom.cdx.json", ml_bom.render_ml_bom(parts, files.tree_manifest(payload / "model"))
        )
        files.write_json(folder / "result.json", {"facts": facts.facts_to_json(_payload_facts(payload))})
    return described


def _copy_payload_files(layout: Layout, payload: Path, method: str) -> None:
    _copy_model(trained_weights_folder(layout, method), payload / "model")
    for source, target in (
        (layout.artefacts("evaluate") / "metrics.json", "evaluation/metrics.json"),
        (layout.artefacts("evaluate") / "report.html", "evaluation/report.html"),
        (layout.artefacts("suites") / "suites.json", "evaluation/suites.json"),
        (layout.artefacts("leakage") / "leakage.json", "evaluation/leakage.json"),
        (layout.evaluations_path, "evaluation/evaluations.json"),
        (layout.artefacts("split") / "manifest.json", "dataset/manifest.json"),
        (layout.params_path, "params.yaml"),
    ):
        if not source.is_file():
            raise InputError(f"package needs {source.relative_to(layout.root)}, which is missing; run its stage again")
        files.write_bytes(payload / target, source.read_bytes())


def trained_weights_folder(layout: Layout, method: str) -> Path:
    """Return the folder with the weights that stage `train` wrote: a model or an adapter.

    Raises:
        InputError: The folder is missing, or it holds the kind of weights that training method `method` does not
            produce.
    """
    form, folder = methods.get_method(method).result_form, layout.artefacts("train")
    result_forms = list(methods.find_result_forms(folder))
    if result_forms != [form]:
        raise InputError(
            f"package: training.method {method} leaves {form.folder_name} in {folder}, found "
            f"{' and '.join(it.folder_name for it in result_forms) or 'nothing'}; run the stage train again"
        )
    return folder / form.folder_name


def _copy_model(source: Path, target: Path) -> None:
    names = [name for name in files.tree_manifest(source) if name != PEFT_README]
    unsafe = [name for name in names if Path(name).suffix not in SAFE_SUFFIXES]
    if unsafe or not any(name.endswith(".safetensors") for name in names):
        raise InputError(
            f"package: a release's model holds weights as safetensors, and only {', '.join(SAFE_SUFFIXES)} files "
            f"beside them; {source} has {', '.join(unsafe or names) or 'nothing'}"
        )
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _payload_facts(payload: Path) -> facts.Facts:
    sizes = [path.stat().st_size for path in payload.rglob("*") if path.is_file()]
    return {
        "files": Fact(value=len(sizes), note="files of the payload"),
        "bytes": Fact(value=sum(sizes), unit="bytes", note="size of the payload"),
    }
