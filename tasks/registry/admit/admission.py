"""Admission: verification of the release in production before a server is allowed to load it.

A server can get a model only through this module. Aliases, folder names and unsigned records are not trusted. The
newest valid promotion statement of the environment decides which release is served.

While the ledger is unavailable, newer statements cannot be read. The release that was last admitted on this machine is
then admitted again, and the admission records are stored and delivered later. The same applies if the ledger was
changed or cannot be checked (`quick_check.py`). If the ledger lacks the statement of the last admission, or an adoption
under which it counts, the ledger has been rolled back. The release in that statement is then still served, and an
incident is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from tasks.core import files
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, raise_machine_fault
from tasks.core.layout import Layout
from tasks.core.payload.inference_config import InferenceSettings
from tasks.ledger import quick_check
from tasks.ledger.ledger import Ledger, get_ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.registry.admit import last_admission, ledger_rollback, outbox, served_files
from tasks.registry.admit.last_admission import LastAdmission
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.verify import verification

T = TypeVar("T")

ADMITTED, REFUSED = "admission.admitted", "admission.refused"
"""Kinds of ledger entries about admissions. The subject of such an entry is the model's name."""


@dataclass(frozen=True)
class AdmittedRelease:
    label: str
    release_sha256: str
    sequence: int
    """Sequence number of the promotion statement that selected the release."""
    model: Path
    """Folder of the adapter or full model. It contains only safetensors, JSON and a chat template."""
    model_sha256: str
    """Digest of the model folder (`tasks.core.files.tree_digest`), from the signed promotion statement."""
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

    def require_unchanged(self) -> None:
        """Verify that model and base model are still what was admitted, after they were read.

        Raises:
            Refused: A file was changed since the admission.
            Unavailable: The machine lacks memory or file descriptors, or its disk fails.
        """
        for folder, sha256 in {self.model: self.model_sha256, self.base: self.base_sha256}.items():
            try:
                changed = folder is not None and files.tree_digest(folder) != sha256
            except (OSError, ValueError) as error:
                raise_machine_fault(folder, error)
                changed = True
            if changed:
                raise Refused(f"{folder} was changed since {self.label} was admitted; admit it again")


class _LedgerView(NamedTuple):
    """Content of the ledger that determines the admission, from the snapshot that was checked."""

    governance: Governance
    newest: SignedPromotion | None
    """Newest promotion statement; None if there is none, or if the ledger cannot be read."""
    lost: LastAdmission | None = None
    """Last admission on this machine, if the ledger lacks it."""
    error: HallmarkError | None = None
    """Reason why the ledger is not relied on: it is unavailable or was changed. None if it is relied on."""

    @property
    def is_relied_on(self) -> bool:
        return self.lost is None and self.error is None


def admit(ledger: Ledger, governance: Governance, name: str, server: str = "") -> AdmittedRelease:
    """Verify the release in production and return it.

    The outcome is recorded in the ledger together with `server`, the name of the requesting server. If the release
    fails verification, no older release is admitted in its place.

    Raises:
        Refused: No release is promoted, or its folder or base model differs from what was promoted. The ledger was
            changed, and the model was not admitted on this machine before.
        Unavailable: The ledger cannot be reached or written, and the release was not admitted on this machine before.
    """
    return _admit(ledger, _view_ledger(ledger, governance, name), name, server)


def admit_in_checkout(checkout: Path, name: str, server: str = "") -> AdmittedRelease:
    """Admit a model's release in production, under the governance of a checkout.

    If the ledger is unavailable or was changed, the governance that was stored with the last admission is used.
    """
    folder, state = checkout / "infra" / "governance", checkout / ".hallmark"
    ledger = get_ledger(state)

    def read_governance() -> Governance:
        return in_force.read_in_force(folder, state, ledger)[0]

    def stored_governance(error: HallmarkError) -> Governance:
        return _stored_or(error, lambda: last_admission.stored_governance(folder, state, name))

    try:
        ledger.prepare_tables()
        view = _view_ledger(ledger, read_governance(), name, read_governance)
    except (InputError, Refused, Unavailable) as error:  # somebody may have hidden or changed the adoptions
        view = _LedgerView(stored_governance(error), None, error=error)
    if view.error and not view.lost:
        view = view._replace(governance=stored_governance(view.error))
    return _admit(ledger, view, name, server)


def _admit(ledger: Ledger, view: _LedgerView, name: str, server: str) -> AdmittedRelease:
    about: dict[str, object] = {"server": server, "statement": None}
    record = partial(outbox.append_or_store, ledger) if view.is_relied_on else outbox.store_until_promoted
    if view.lost:
        ledger_rollback.record_rollback(ledger, view.governance, view.lost.statement, view.newest, server)
    try:
        newest, governance = _choose_statement(view, name)
        about["statement"] = newest.sha256 if newest else None
        if newest is None:
            where = governance.policy.environment
            raise Refused(f"no release of {name!r} is promoted in environment {where}; there is nothing to serve")
        admitted = _verify_release(newest, governance, not view.is_relied_on)
    except (InputError, Refused) as error:  # nothing is recorded if the release could not be examined
        record(view.governance.state, REFUSED, name, about | {"reason": _printable_message(error)})
        raise
    body = about | {
        "release": admitted.label,
        "sha256": admitted.release_sha256,
        "ledger_away": admitted.ledger_unavailable,
    }
    if admitted.ledger_unavailable or last_admission.is_stored(governance, name, newest):
        record(governance.state, ADMITTED, name, body)
    else:
        ledger.append(ADMITTED, name, body)
        last_admission.store_admission(governance, name, newest)
    return admitted


def _view_ledger(
    ledger: Ledger, governance: Governance, name: str, read_governance: Callable[[], Governance] | None = None
) -> _LedgerView:
    """Check the ledger, and read from the snapshot that was checked.

    Args:
        ledger: Ledger to read.
        governance: Governance with the keys of the ledger's heads.
        name: Name of the model.
        read_governance: Function that reads the governance in force from the ledger; None to use `governance`.
    """
    try:
        with ledger.reading():
            doubt = _ledger_doubt(ledger, governance)
            governance = read_governance() if read_governance and not doubt else governance
            lost = last_admission.find_lost_admission(ledger, governance, name)
            newest = promotions.read_promotions(ledger, governance, name).newest_statement
    except (InputError, Refused, Unavailable) as error:
        return _LedgerView(governance, None, error=error)
    return _LedgerView(governance, newest, lost, doubt)


def _ledger_doubt(ledger: Ledger, governance: Governance) -> HallmarkError | None:
    """Return the error why nothing new is admitted by this ledger: it was changed, or it cannot be checked."""
    try:
        quick_check.require_unchanged(ledger, governance)
    except (Refused, Unavailable) as error:
        return error
    return None


def _choose_statement(view: _LedgerView, name: str) -> tuple[SignedPromotion | None, Governance]:
    """Return the promotion statement that determines the release to serve, and the governance that makes it valid."""
    if view.lost:
        return view.lost
    if view.error:
        stored = _stored_or(
            view.error, lambda: last_admission.read_statement(view.governance, name), view.newest is not None
        )
        return stored, view.governance
    return view.newest, view.governance


def _stored_or(error: HallmarkError, read: Callable[[], T], is_readable: bool = False) -> T:
    """Read something from the last admission.

    Args:
        error: Error because of which the ledger is not relied on.
        read: Function that reads from the last admission.
        is_readable: Whether the ledger itself could be read. If nothing is stored, `error` is then raised, and
            otherwise an error which says that the ledger is away.
    """
    try:
        return read()
    except Unavailable:
        if isinstance(error, Unavailable) and not is_readable:
            raise
        raise error from None


def _printable_message(error: Exception) -> str:
    return str(error).encode(errors="backslashreplace").decode()


def _verify_release(newest: SignedPromotion, governance: Governance, ledger_unavailable: bool) -> AdmittedRelease:
    label, environment = newest.promotion.label, governance.policy.environment
    if newest.promotion.demo and not governance.is_local:
        raise Refused(f"{label} was approved by demo identities, which do not count in environment {environment}")
    folder = bundle.release_folder(governance.state, label)
    verified = verification.require_valid_release(folder, governance)
    if verified.release_sha256 != newest.release_sha256:
        raise Refused(f"{folder} holds another release than the one that was promoted as {label}")
    package, settings = served_files.read_package(folder, verified.promotion.files)
    base, base_sha256 = served_files.verified_base_model(Layout(governance.state.parent), package)
    model = folder / bundle.PAYLOAD / "model"
    tokenizer = model if base is None or (model / "tokenizer_config.json").is_file() else base
    template = tokenizer / "chat_template.jinja"
    return AdmittedRelease(
        label=label,
        release_sha256=newest.release_sha256,
        sequence=newest.promotion.sequence,
        model=model,
        model_sha256=bundle.part_digest(verified.promotion.files, f"{bundle.PAYLOAD}/model"),
        base=base,
        base_sha256=base_sha256,
        tokenizer=tokenizer,
        chat_template=template if template.is_file() else tokenizer / "tokenizer_config.json",
        inference_settings=settings,
        ledger_unavailable=ledger_unavailable,
    )
