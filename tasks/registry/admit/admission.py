"""The only way to a model for serving. It verifies first, and believes no alias, folder name or unsigned record.

What is served follows the newest valid promotion statement of the environment. With the ledger away no newer one can be
known: what was admitted here before goes on, and the records of it are kept and delivered later. A ledger that ends
before the statement that was admitted here last was rolled back: that statement stands, and an incident is opened.
"""

from dataclasses import dataclass
from pathlib import Path

from tasks.core import files
from tasks.core.errors import HallmarkError, Refused, Unavailable
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload import asking, manifest
from tasks.core.payload.asking import Asking
from tasks.ledger.ledger import Ledger, reach_ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.registry.admit import remembered, rolled_back, undelivered
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import Signed
from tasks.registry.verify import verification
from tasks.stages.package.package import SAFE

ADMITTED, REFUSED = "admission.admitted", "admission.refused"
"""Ledger entries; their subject is the name of the model."""
READABLE = (*SAFE, ".txt", ".md", "")
"""Endings of files in a base model, which beside weights and JSON has word lists, a card and a licence."""


@dataclass(frozen=True)
class Admitted:
    """A model that may be served."""

    label: str
    """Name and version of its release."""
    release_sha256: str
    sequence: int
    """Of the promotion statement that it follows."""
    model: Path
    """safetensors, JSON and a chat template, nothing else: an adapter or a whole model."""
    base: Path | None
    """The base model of an adapter, in the same forms; None for a whole model."""
    base_sha256: str | None
    """`tasks.core.files.tree_digest` of `base`."""
    tokenizer: Path
    """Folder of the tokenizer: that of the model, or of its base where it has none of its own."""
    chat_template: Path
    """The tokenizer's; in its tokenizer_config.json where it has no file of its own."""
    asking: Asking
    """How it was asked when it was evaluated."""
    ledger_away: bool
    """Whether a newer statement may exist that could not be asked for: the ledger is away, or was rolled back."""


def admit(ledger: Ledger, governance: Governance, name: str, server: str = "") -> Admitted:
    """The release that is in production, every byte of it verified now; `server` says in the ledger who wanted it.

    Raises Refused, and says so on the ledger, where no release is promoted or its folder or base model is not byte for
    byte what was promoted; no older release takes its place. Raises Unavailable where the ledger is away, or cannot be
    written, and this release was not admitted here before.
    """
    newest, away = _newest(ledger, governance, name, server)
    about = {"server": server, "statement": newest.sha256 if newest else None}
    try:
        if newest is None:
            where = governance.policy.environment
            raise Refused(f"no release of {name!r} is promoted in environment {where}; there is nothing to serve")
        admitted = _verified(newest, governance, away)
    except HallmarkError as error:
        undelivered.record(ledger, governance.state, REFUSED, name, about | {"reason": _spelt(error)})
        raise
    body = about | {"release": admitted.label, "sha256": admitted.release_sha256, "ledger_away": away}
    if away or remembered.is_last(governance, name, newest):
        undelivered.record(ledger, governance.state, ADMITTED, name, body)
    else:
        ledger.append(ADMITTED, name, body)
        remembered.write(governance, name, newest)
    return admitted


def admit_here(checkout: Path, name: str, server: str = "") -> Admitted:
    """`admit` under the governance in force in a checkout; with the ledger away, under what was in force before."""
    folder, state = checkout / "infra" / "governance", checkout / ".hallmark"
    ledger = reach_ledger(state)
    try:
        ledger.prepare()
        governed = in_force.load(folder, state, ledger)
    except Unavailable:
        governed = remembered.governance_of(folder, state, name)
    return admit(ledger, governed, name, server)


def _newest(ledger: Ledger, governance: Governance, name: str, server: str) -> tuple[Signed | None, bool]:
    """The newest statement known here, and whether the ledger does not have it: it is away, or was rolled back."""
    try:
        newest = promotions.read(ledger, governance, name).newest
    except Unavailable:
        return remembered.read(governance, name), True
    last = remembered.newer(governance, name, newest)
    if last is None:
        return newest, False
    rolled_back.keep(governance, last, newest, server)
    return last, True


def _spelt(error: Exception) -> str:
    """What it says, also of file names that are no text."""
    return str(error).encode(errors="backslashreplace").decode()


def _verified(newest: Signed, governance: Governance, away: bool) -> Admitted:
    label, environment = newest.promotion.label, governance.policy.environment
    if newest.promotion.demo and not governance.local:
        raise Refused(f"{label} was approved by demo identities, which do not count in environment {environment}")
    folder = bundle.folder(governance.state, label)
    if verification.require(folder, governance).release_sha256 != newest.release_sha256:
        raise Refused(f"{folder} holds another release than the one that was promoted as {label}")
    payload = folder / bundle.PAYLOAD
    model, base = payload / "model", _base(Layout(governance.state.parent), payload)
    tokenizer = model if base is None or (model / "tokenizer_config.json").is_file() else base
    template = tokenizer / "chat_template.jinja"
    return Admitted(
        label=label,
        release_sha256=newest.release_sha256,
        sequence=newest.promotion.sequence,
        model=model,
        base=base,
        base_sha256=str(files.read_json(base.parent / "result.json")["model_sha256"]) if base else None,
        tokenizer=tokenizer,
        chat_template=template if template.is_file() else tokenizer / "tokenizer_config.json",
        asking=asking.read(payload),
        ledger_away=away,
    )


def _base(layout: Layout, payload: Path) -> Path | None:
    """The base model that the release's adapter was tuned from, as promotion kept it."""
    package = manifest.read(payload)
    if not methods.of(package.method).form.needs_base:
        return None
    folder, wanted = layout.base(package.stages["base_model"]), package.stages["base_model"]
    try:
        digest = files.tree_digest(folder) if folder.is_dir() else None
    except ValueError as error:  # a link
        raise Refused(str(error)) from None
    if digest != wanted:
        raise Refused(f"{folder} is not the base model that the release is an adapter of ({wanted[:12]}); restore it")
    if unsafe := sorted(p.name for p in (folder / "model").rglob("*") if p.is_file() and p.suffix not in READABLE):
        raise Refused(f"{folder} holds what could run code when it is read: {', '.join(unsafe)}")
    return folder / "model"
