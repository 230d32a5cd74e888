"""Steps of an export. The folder appears whole, signed and on the ledger, or not at all."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import InputError, Refused
from tasks.core.files import FolderTakenError
from tasks.core.payload import inference_config
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.admit import admission
from tasks.registry.export import adapter, answers, evaluated, export_card, forms, gguf_file, hub, llama_cpp, merged
from tasks.registry.export import source as sources
from tasks.registry.export import statement as statements
from tasks.registry.export.evaluated import EvaluatedAnswers
from tasks.registry.export.forms import Form, Wish
from tasks.registry.export.source import ExportSource
from tasks.registry.export.statement import AnswerComparison, ExportStatement
from tasks.registry.promote import releases
from tasks.registry.release import bundle
from tasks.stages.evaluate import models
from tasks.trust import dsse

EXPORTED_KIND = "release.exported"
"""Kind of ledger entry about an export. The subject is the release."""
ShowStep = Callable[[str, str], None]
"""Function that receives the name of the step in progress, and how far it is."""


@dataclass(frozen=True)
class ExportOrder:
    model: str
    """Name of the model, or of its release in production."""
    wish: Wish
    target: Path
    """Folder to write, which must not exist."""
    person: str
    """Id of the person who asks for the export."""
    max_rows: int | None = None
    """Maximum number of rows that the export is asked; None for every row of the evaluation."""
    with_base: bool | None = None
    """Whether an adapter gets the files of its base model. If None, it gets them if the base model is on no hub."""


def export_release(ledger: Ledger, governance: Governance, order: ExportOrder, show_step: ShowStep) -> ExportStatement:
    """Admit the release in production, export it, and compare the export's answers with the evaluation.

    Raises:
        InputError: The target is there, the person is unknown, another release is in production, this form is not
            possible, or the evaluation's answers are not on this machine.
        Refused: The release is not admitted, or the person may not act.
        Unavailable: The ledger cannot be reached.
    """
    _require_free(order.target)
    governance.require_actor(order.person, ledger.now())
    signer = governance.find_signer("ledger", ledger.now())
    show_step("verifying what is in production", "")
    source = _admit(ledger, governance, order.model)
    form = forms.choose_form(order.wish, source)
    has_base = form == "adapter" and _wants_base(order, source)
    asked = None if order.max_rows == 0 else evaluated.read_evaluated(source, governance.state).take(order.max_rows)
    try:
        with files.new_atomic_folder(order.target) as folder:
            show_step(f"writing {source.admitted.label} as {form}", "")
            models.silence_libraries()
            _write_model(source, form, folder, has_base)
            source.admitted.require_unchanged()
            compared = _compare(source, form, asked, folder, show_step) if asked else None
            said = _state(source, form, order, compared, ledger, governance)
            show_step("signing", "")
            files.write_bytes(folder / "README.md", export_card.render_card(source, said, has_base).encode())
            envelope = dsse.sign_statement(
                dsse.make_statement(statements.PREDICATE_TYPE, files.tree_manifest(folder), said.json_value), signer
            )
            dsse.write_envelope(folder / statements.STATEMENT_FILE, envelope)
            if not said.for_hub:
                _write_proofs(source, governance, folder)
            ledger.append(EXPORTED_KIND, said.release, _entry_body(said, envelope, order))
    except FolderTakenError:
        raise _taken_error(order.target) from None
    return said


def _require_free(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise _taken_error(target)


def _taken_error(target: Path) -> InputError:
    return InputError(f"{target} is there already, and an export replaces nothing; name another folder with --to")


def _admit(ledger: Ledger, governance: Governance, name: str) -> ExportSource:
    labels = {release.label: release for release in releases.list_releases(ledger, governance)}
    model = labels[name].name if name in labels else name
    admitted = admission.admit(ledger, governance, model, server=socket.gethostname())
    if admitted.ledger_unavailable:
        raise Refused("the ledger was changed, and an export is entered in it: `hallmark ledger verify`")
    if name not in (model, admitted.label):
        raise InputError(
            f"{name} is not in production but {admitted.label} is, and nothing else is exported; roll back first: "
            f"hallmark releases rollback {name}"
        )
    return sources.read_source(admitted, labels[admitted.label])


def _wants_base(order: ExportOrder, source: ExportSource) -> bool:
    return source.params.base_model.hub is None if order.with_base is None else order.with_base


def _write_model(source: ExportSource, form: Form, folder: Path, with_base: bool) -> None:
    match form:
        case "adapter":
            adapter.write_adapter(source, folder, with_base)
        case "merged":
            merged.write_merged(source, folder)
        case "gguf":
            gguf_file.write_gguf(source, folder)
    files.write_json(folder / inference_config.FILE_NAME, source.settings.model_dump(mode="json"))
    hub.copy_licences(source.base, folder)
    hub.write_hub_files(folder)


def _compare(
    source: ExportSource, form: Form, asked: EvaluatedAnswers, folder: Path, show_step: ShowStep
) -> AnswerComparison:
    from transformers import AutoConfig, AutoTokenizer

    def report(done: int, total: int) -> None:
        show_step("asking the export", f"{done:,} of {total:,} rows")

    show_step("loading the export", "")
    if form == "gguf" and llama_cpp.is_installed():
        tokenizer = AutoTokenizer.from_pretrained(source.admitted.tokenizer)
        config = AutoConfig.from_pretrained(source.base or source.admitted.model)
        file = folder / gguf_file.FILE_NAME
        given = llama_cpp.answer_rows(source, asked, file, tokenizer, config, report)
        return answers.compare(source, asked, given, llama_cpp.describe_version())
    model, tokenizer = _load(source, form, folder)
    given = answers.answer_rows(source, asked, model, tokenizer, report)
    return answers.compare(source, asked, given, _describe_libraries(form))


def _load(source: ExportSource, form: Form, folder: Path) -> tuple[Any, Any]:
    from transformers import AutoTokenizer

    if form == "gguf":
        return gguf_file.load_gguf(source, folder), AutoTokenizer.from_pretrained(source.admitted.tokenizer)
    load = adapter.load_adapter if form == "adapter" else merged.load_merged
    return load(source, folder), AutoTokenizer.from_pretrained(folder)


def _describe_libraries(form: Form) -> str:
    names = ["transformers", *{"adapter": ["peft"], "merged": [], "gguf": ["gguf"]}[form]]
    return " and ".join(f"{name} {metadata.version(name)}" for name in names)


def _state(
    source: ExportSource,
    form: Form,
    order: ExportOrder,
    compared: AnswerComparison | None,
    ledger: Ledger,
    governance: Governance,
) -> ExportStatement:
    for_hub = order.wish == "hub"
    llama_cpp_tried = compared is not None and llama_cpp.is_installed()
    untried = [*forms.UNTRIED[form], *["llama.cpp"] * (form == "gguf" and not llama_cpp_tried)]
    return ExportStatement(
        time=ledger.now(),
        release=source.admitted.label,
        release_sha256=source.admitted.release_sha256,
        environment=governance.policy.environment,
        demo=source.release.demo,
        form=form,
        for_hub=for_hub,
        dtype=source.settings.dtype,
        base_model=source.manifest.base_model_origin,
        base_model_sha256=source.manifest.base_model_sha256,
        base_model_licence=source.manifest.base_model_licence,
        requested_by="" if for_hub else order.person,
        answers=compared,
        not_tried=untried,
    )


def _write_proofs(source: ExportSource, governance: Governance, folder: Path) -> None:
    """Write the release's promotion statement, and the adoptions that establish the keys of it and of the export."""
    promotion = Path(source.release.bundle) / bundle.PROMOTION_STATEMENT
    files.write_bytes(folder / statements.PROMOTION_FILE, promotion.read_bytes())
    for number, envelope in enumerate(governance.chain, start=1):
        dsse.write_envelope(folder / statements.GOVERNANCE_FOLDER / f"{number:04}.json", envelope)


def _entry_body(said: ExportStatement, envelope: dict[str, Any], order: ExportOrder) -> dict[str, Any]:
    body = said.model_dump(mode="json", include={"release", "form", "for_hub", "dtype", "answers", "not_tried"})
    return body | {
        "sha256": said.release_sha256,
        "person": order.person,
        "statement": dsse.envelope_digest(envelope),
    }
