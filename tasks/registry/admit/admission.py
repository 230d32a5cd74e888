"""Admission: verification of the release in production before a server is allowed to load it.

A server can get a model only through this module. Aliases, folder names and unsigned records are not trusted. The
newest valid promotion statement of the environment decides which release is served.

While the ledger is unavailable, newer statements cannot be read. The release that was last admitted on this machine is
then admitted again, and the admission records are stored and delivered later. The same applies if the ledger was
changed or cannot be checked (`quick_check.py`). If the ledger lacks the statement of the last admission, the ledger has
been rolled back. The release in that statement is then still served, and an incident is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tasks.core import files
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, raise_machine_fault
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload import inference_config, manifest
from tasks.core.payload.inference_config import InferenceSettings
from tasks.ledger import quick_check
from tasks.ledger.ledger import Ledger, get_ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.registry.admit import last_admission, ledger_rollback, outbox
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.verify import verification
from tasks.stages.package.package import SAFE_SUFFIXES

T = TypeVar("T")

ADMITTED, REFUSED = "admission.admitted", "admission.refused"
"""Kinds of ledger entries about admissions. The subject of such an entry is the model's name."""
BASE_MODEL_SUFFIXES = (*SAFE_SUFFIXES, ".txt", ".md", "")
"""Allowed file suffixes in a base model. They include those of weights, JSON files, vocabulary files, a model card and
a licence."""


@dataclass(frozen=True)
class AdmittedRelease:
    label: str
    release_sha256: str
    sequence: int
    """Sequence number of the promotion statement that selected the release."""
    model: Path
    """Folder of the adapter or full model. It contains only safetensors, JSON and a chat template."""
    model_sha256: str
    """Digest of that folder (`tasks.core.files.tree_digest`), from the signed promotion statement."""
    base: Path | None
    """Folder of the adapter's base model; None for a full model. It contains no file that could run code."""
    base_sha256: str | None
    tokenizer: Path
    """Folder of the tokenizer: the model's own folder, or the base model's folder if the model has no tokenizer."""
    chat_template: Path
    """File that contains the chat template: chat_template.jinja if it exists, tokenizer_config.json otherwise."""
    inference_settings: InferenceSettings
    """Prompts and decoding settings with which the model was evaluated."""
    ledger_unavailable: bool
    """Whether the ledger is unavailable, was changed or cannot be checked, so that a newer statement may exist."""


def admit(ledger: Ledger, governance: Governance, name: str, server: str = "") -> AdmittedRelease:
    """Verify the release in production and return it.

    The outcome is recorded in the ledger together with `server`, the name of the requesting server. If the release
    fails verification, no older release is admitted in its place.

    Raises:
        Refused: No release is promoted, or its folder or base model differs from what was promoted. The ledger was
            changed, and the model was not admitted on this machine before.
        Unavailable: The ledger cannot be reached or written, and the release was not admitted on this machine before.
    """
    return _admit(ledger, governance, name, server, _ledger_doubt(ledger, governance))


def admit_in_checkout(checkout: Path, name: str, server: str = "") -> AdmittedRelease:
    """Admit a model's release in production, under the governance of a checkout.

    If the ledger is unavailable or was changed, the governance that was stored with the last admission is used.
    """
    folder, state = checkout / "infra" / "governance", checkout / ".hallmark"
    ledger = get_ledger(state)

    def stored() -> Governance:
        return last_admission.stored_governance(folder, state, name)

    doubt: HallmarkError | None = None
    try:
        ledger.prepare_tables()
        governed, _ = in_force.read_in_force(folder, state, ledger)
        doubt = _ledger_doubt(ledger, governed)
    except Unavailable:
        governed = stored()
    except (InputError, Refused) as error:  # somebody may have hidden or changed the adoptions
        governed, doubt = _stored_or(error, stored), quick_check.changed_error([str(error)])
    else:
        governed = _stored_or(doubt, stored) if doubt else governed
    return _admit(ledger, governed, name, server, doubt)


def _admit(
    ledger: Ledger, governance: Governance, name: str, server: str, ledger_doubt: HallmarkError | None
) -> AdmittedRelease:
    about: dict[str, object] = {"server": server, "statement": None}
    try:
        newest, away = _newest_statement(ledger, governance, name, server, ledger_doubt)
        about["statement"] = newest.sha256 if newest else None
        if newest is None:
            where = governance.policy.environment
            raise Refused(f"no release of {name!r} is promoted in environment {where}; there is nothing to serve")
        admitted = _verify_release(newest, governance, away)
    except (InputError, Refused) as error:  # nothing is recorded if the release could not be examined
        outbox.append_or_store(ledger, governance.state, REFUSED, name, about | {"reason": _printable_message(error)})
        raise
    body = about | {"release": admitted.label, "sha256": admitted.release_sha256, "ledger_away": away}
    if away or last_admission.is_stored(governance, name, newest):
        outbox.append_or_store(ledger, governance.state, ADMITTED, name, body)
    else:
        ledger.append(ADMITTED, name, body)
        last_admission.store_admission(governance, name, newest)
    return admitted


def _ledger_doubt(ledger: Ledger, governance: Governance) -> HallmarkError | None:
    """Return the error why nothing new is admitted by this ledger: it was changed, or it cannot be checked."""
    try:
        quick_check.require_unchanged(ledger, governance)
    except (Refused, Unavailable) as error:
        return error
    return None


def _newest_statement(
    ledger: Ledger, governance: Governance, name: str, server: str, ledger_doubt: HallmarkError | None
) -> tuple[SignedPromotion | None, bool]:
    """Return the newest known promotion statement, and whether it comes from the last admission, not the ledger."""
    try:
        newest = promotions.read_promotions(ledger, governance, name).newest_statement
    except Unavailable:
        return last_admission.read_statement(governance, name), True
    except Refused as error:  # an entry was changed
        return _stored_or(error, lambda: last_admission.read_statement(governance, name)), True
    if last := last_admission.stored_statement_if_newer(governance, name, newest):
        ledger_rollback.store_rollback_record(governance, last, newest, server)
        return last, True
    if ledger_doubt:
        return _stored_or(ledger_doubt, lambda: last_admission.read_statement(governance, name)), True
    return newest, False


def _stored_or(error: HallmarkError, read: Callable[[], T]) -> T:
    """Read something from the last admission, or raise the error if nothing is stored."""
    try:
        return read()
    except Unavailable:
        raise error from None


def _printable_message(error: Exception) -> str:
    return str(error).encode(errors="backslashreplace").decode()


def _verify_release(newest: SignedPromotion, governance: Governance, ledger_unavailable: bool) -> AdmittedRelease:
    label, environment = newest.promotion.label, governance.policy.environment
    if newest.promotion.demo and not governance.is_local:
        raise Refused(f"{label} was approved by demo identities, which do not count in environment {environment}")
    folder = bundle.release_folder(governance.state, label)
    if verification.require_valid_release(folder, governance).release_sha256 != newest.release_sha256:
        raise Refused(f"{folder} holds another release than the one that was promoted as {label}")
    payload = folder / bundle.PAYLOAD
    model, base = payload / "model", _verified_base_model(Layout(governance.state.parent), payload)
    tokenizer = model if base is None or (model / "tokenizer_config.json").is_file() else base
    template = tokenizer / "chat_template.jinja"
    return AdmittedRelease(
        label=label,
        release_sha256=newest.release_sha256,
        sequence=newest.promotion.sequence,
        model=model,
        model_sha256=bundle.part_digest(newest.promotion.files, f"{bundle.PAYLOAD}/model"),
        base=base,
        base_sha256=str(files.read_json(base.parent / "result.json")["model_sha256"]) if base else None,
        tokenizer=tokenizer,
        chat_template=template if template.is_file() else tokenizer / "tokenizer_config.json",
        inference_settings=inference_config.read_settings(payload),
        ledger_unavailable=ledger_unavailable,
    )


def _verified_base_model(layout: Layout, payload: Path) -> Path | None:
    package = manifest.read_manifest(payload)
    if not methods.get_method(package.method).result_form.needs_base:
        return None
    folder, wanted = layout.base_model_folder(package.stages["base_model"]), package.stages["base_model"]
    try:
        digest = files.tree_digest(folder) if folder.is_dir() else None
    except ValueError as error:  # the folder holds a link
        raise Refused(str(error)) from None
    except OSError as error:
        raise_machine_fault(folder, error)
        raise Refused(f"{folder} cannot be read ({error.strerror}); restore it") from None
    if digest != wanted:
        raise Refused(f"{folder} is not the base model that the release is an adapter of ({wanted[:12]}); restore it")
    if unsafe := sorted(
        p.name for p in (folder / "model").rglob("*") if p.is_file() and p.suffix not in BASE_MODEL_SUFFIXES
    ):
        raise Refused(f"{folder} holds what could run code when it is read: {', '.join(unsafe)}")
    return folder / "model"
