"""Mirror of the promotions in MLflow's registry, for people and tools. Hallmark does not trust the registry's content.

An MLflow version belongs to a release if it has the release's tag `hallmark.release` and its files are at a path where
Hallmark registered the release. The tag is not enough, because anyone with write access to MLflow can set it.

The registered paths are in the ledger, because machines without the release need them too. A machine with the release
accepts only the current path of the release. The checkout may have been moved, and its old path may belong to someone
else. If machines that share an MLflow server have a release at different paths, each sets the aliases to its own path.
MLflow assigns its own version numbers, which can be higher than the version of the release.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tasks.core.databases import mlflow_database, sqlite_journals
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.core.formatting import format_url
from tasks.core.payload import manifest
from tasks.incidents import incidents
from tasks.ledger.ledger import Ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.registry.promote import mlflow_turn, releases, rollback_orders
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion

DATABASE_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql")
RELEASE_TAG = "hallmark.release"
MIRRORED_KIND = "promotion.mirrored"
"""Kind of the ledger entry which records that MLflow's aliases were set as a promotion statement requires."""
REGISTERED_KIND = "promotion.registered"
"""Kind of the ledger entry which records the path at which a release was registered in MLflow."""


class AliasResult(FrozenModel):
    aliases: dict[str, str | None]
    """Current release of each alias in MLflow; null if the alias is not set."""
    moved_by_hand: list[str]
    """Descriptions of the aliases that were moved outside of Hallmark and have been restored."""
    notes: list[str]
    """Notes on aliases that pointed to an earlier path of their release, or that this machine cannot check."""


class _AliasTarget(NamedTuple):
    version: int | None
    """Version of the registered model that the alias should point to; None if the alias should not be set."""
    accepted_versions: set[int | None]
    """MLflow versions that the alias may point to without being reported as moved by hand. They are the release's
    versions at all registered paths."""
    note: str = ""


def registry_uri(state: Path) -> str:
    """Return the URI of MLflow's registry.

    The URI is the value of MLFLOW_REGISTRY_URI or else MLFLOW_TRACKING_URI. By default, it is that of an SQLite
    database in `.hallmark/`.
    """
    configured = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI")
    return configured or mlflow_database.sqlite_uri((state / "mlflow" / "mlflow.db").resolve())


def set_aliases(ledger: Ledger, governance: Governance, name: str) -> AliasResult:
    """Set a model's MLflow aliases as its newest promotion statement requires, and report aliases moved by hand.

    A release that MLflow lacks is registered. The aliases of a model without a promotion are not changed. A promotion
    is valid even if MLflow is unavailable.

    Raises:
        Refused: An alias is to be set, and the ledger was changed.
        Unavailable: MLflow cannot be used, or has not answered in time.
    """
    return mlflow_turn.take_turn(governance.state, lambda: _set_aliases(ledger, governance, name))


def _set_aliases(ledger: Ledger, governance: Governance, name: str) -> AliasResult:
    line = promotions.read_promotions(ledger, governance, name)
    if line.newest_statement is None:
        return AliasResult(aliases={}, moved_by_hand=[], notes=[])
    holders = {releases.CHAMPION: line.newest_statement, releases.ROLLBACK: line.rollback_target()}
    with RegistryClient(governance.state) as client:
        if _is_registered_elsewhere_soon(client, ledger, governance, line.newest_statement):
            label = line.newest_statement.promotion.label
            note = f"{label} is not in MLflow yet; the machine that promoted it registers it"
            return AliasResult(aliases={}, moved_by_hand=[], notes=[note])
        aliases = _aliases(client, name)
        targets = {
            alias: _alias_target(client, ledger, governance, signed, aliases.get(alias))
            if signed
            else _AliasTarget(None, {None})
            for alias, signed in holders.items()
        }
        if promotions.read_promotions(ledger, governance, name).newest_statement != line.newest_statement:
            return AliasResult(aliases={}, moved_by_hand=[], notes=[])  # somebody promoted while MLflow was slow
        if not is_mirrored(ledger, line.newest_statement) or any(
            aliases.get(alias) != target.version for alias, target in targets.items()
        ):
            in_force.require_unchanged_ledger(ledger, governance)
        moved = _report_moved_aliases(ledger, governance, line.newest_statement, aliases, targets)
        for alias, target in targets.items():
            _set_alias(client, name, alias, aliases.get(alias), target.version)
        _record_mirrored(ledger, line.newest_statement)
        labels = {alias: _release_label(client, name, target.version) for alias, target in targets.items()}
    notes = [f"alias {alias} of {name}: {target.note}" for alias, target in targets.items() if target.note]
    return AliasResult(aliases=labels, moved_by_hand=moved, notes=notes)


def _is_registered_elsewhere_soon(client: Any, ledger: Ledger, governance: Governance, newest: SignedPromotion) -> bool:
    """Return whether the newest release is still to be registered by the machine that promoted it.

    Only that machine has the release. If this machine set the aliases first, the other one would report them as moved
    by hand.
    """
    name, label = newest.promotion.name, newest.promotion.label
    is_here = bundle.release_folder(governance.state, label).is_dir()
    return not (is_here or is_mirrored(ledger, newest) or _versions_by_source(client, ledger, name, label))


def is_mirrored(ledger: Ledger, newest: SignedPromotion) -> bool:
    """Return whether MLflow's aliases were set for this promotion statement."""
    entries = ledger.entries(MIRRORED_KIND, newest.promotion.name)
    return any(entry.body.get("statement") == newest.sha256 for entry in entries)


def _tags(signed: SignedPromotion, folder: Path) -> dict[str, str]:
    promotion = signed.promotion
    package = manifest.read_manifest(folder / bundle.PAYLOAD)
    evidence = {gate: promotion.files[f"{bundle.ATTESTATIONS}/evidence/{gate}.json"] for gate in promotion.gates}
    return {f"hallmark.gate.{gate}": sha256 for gate, sha256 in evidence.items()} | {
        RELEASE_TAG: promotion.label,
        "hallmark.sha256": signed.release_sha256,
        "hallmark.payload_sha256": promotion.payload_sha256,
        "hallmark.environment": promotion.environment,
        "hallmark.tier": promotion.tier,
        "hallmark.demo": str(promotion.demo).lower(),
        "hallmark.run": promotion.run,
        "hallmark.commit": promotion.commit,
        "hallmark.requested_by": promotion.requested_by,
        "hallmark.candidate_inputs": promotion.candidate_inputs,
        "hallmark.dataset_sha256": package.stages["split"],
        "hallmark.params_sha256": package.params_sha256,
        "hallmark.base_model_sha256": package.base_model_sha256,
    }


def _alias_target(
    client: Any, ledger: Ledger, governance: Governance, signed: SignedPromotion, current: int | None
) -> _AliasTarget:
    """Return the MLflow version that an alias should point to. If MLflow has lost the version, create it again.

    `current` is the version that the alias points to now.
    """
    name, label = signed.promotion.name, signed.promotion.label
    present = _ensure_version(client, ledger, governance, signed)
    known: set[int | None] = {*_versions_by_source(client, ledger, name, label).values()}
    if present is not None:
        note = (
            f"it led to another place of {label} than this machine's, where somebody else may have put files; it is "
            "set to this machine's"
        )
        return _AliasTarget(present, known, note if current in known - {present} else "")
    if not known:
        note = f"{label} is not in MLflow, and this machine lacks the release; a machine that has it registers it again"
        return _AliasTarget(None, {None}, note)
    version = current if current in known else max(version for version in known if version is not None)
    note = f"this machine lacks the release {label}, so nobody checked what lies at its place in MLflow"
    return _AliasTarget(version, known, note)


def _report_moved_aliases(
    ledger: Ledger,
    governance: Governance,
    newest: SignedPromotion,
    aliases: Mapping[str, int],
    targets: Mapping[str, _AliasTarget],
) -> list[str]:
    if not is_mirrored(ledger, newest):
        return []  # not set yet since the newest statement
    moved = {
        alias: f"alias {alias} of {newest.promotion.name} was at MLflow version {aliases.get(alias, 'none')}, "
        f"it belongs at {target.version or 'none'}"
        for alias, target in targets.items()
        if aliases.get(alias) not in target.accepted_versions
    }
    for alias, text in moved.items():
        facts = {"statement": newest.sha256, "alias": alias, "found": aliases.get(alias)}
        role = rollback_orders.incident_role(governance, newest.promotion.tier)
        message = (
            f"{text}. The alias is set back. Hallmark's servers follow the signed statement; who loads a model by "
            "MLflow's alias may have had another one until now. Find out who changed MLflow and why"
        )
        incidents.open_incident_if_new(
            ledger, governance, "alias-moved", newest.promotion.label, facts, "major", role, message, recurs=True
        )
    return list(moved.values())


def _set_alias(client: Any, name: str, alias: str, current: int | None, target_version: int | None) -> None:
    if target_version is None and current is not None:
        client.delete_registered_model_alias(name, alias)
    elif target_version is not None and current != target_version:
        client.set_registered_model_alias(name, alias, str(target_version))


def _record_mirrored(ledger: Ledger, newest: SignedPromotion) -> None:
    with ledger.transaction():
        if not is_mirrored(ledger, newest):
            body = {"statement": newest.sha256, "sequence": newest.promotion.sequence}
            ledger.append(MIRRORED_KIND, newest.promotion.name, body)


def _ensure_version(client: Any, ledger: Ledger, governance: Governance, signed: SignedPromotion) -> int | None:
    """Return the MLflow version of a release at its current path. Create the version if it does not exist.

    The result is None if the release is not on this machine.
    """
    promotion = signed.promotion
    folder = bundle.release_folder(governance.state, promotion.label).resolve()
    if not folder.is_dir():
        return None
    source = (folder / bundle.PAYLOAD).as_uri()
    # before the version is made, so that after a kill its place is known to a copy of the checkout too
    _record_source(ledger, promotion.name, promotion.label, source)
    known = _versions_by_source(client, ledger, promotion.name, promotion.label)
    if source in known:
        return known[source]
    _ensure_model(client, promotion.name)
    made = client.create_model_version(promotion.name, source, tags=_tags(signed, folder), await_creation_for=0)
    return int(made.version)


def _record_source(ledger: Ledger, name: str, label: str, source: str) -> None:
    with ledger.transaction():
        if source not in _registered_sources(ledger, name, label):
            ledger.append(REGISTERED_KIND, name, {"release": label, "source": source})


def _registered_sources(ledger: Ledger, name: str, label: str) -> list[object]:
    entries = ledger.entries(REGISTERED_KIND, name)
    return [entry.body.get("source") for entry in entries if entry.body.get("release") == label]


def _ensure_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Promoted by Hallmark; aliases mirror its signed statements.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _versions_by_source(client: Any, ledger: Ledger, name: str, label: str) -> dict[str, int]:
    tagged = client.search_model_versions(f"name = '{name}' and tags.`{RELEASE_TAG}` = '{label}'")
    sources = _registered_sources(ledger, name, label)
    numbers = sorted(((int(version.version), version.source) for version in tagged), reverse=True)
    return {source: number for number, source in numbers if source in sources}


def _aliases(client: Any, name: str) -> dict[str, int]:
    from mlflow.exceptions import MlflowException

    try:
        return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


def _release_label(client: Any, name: str, version: int | None) -> str | None:
    return None if version is None else client.get_model_version(name, str(version)).tags.get(RELEASE_TAG)


def _require_database(uri: str) -> None:
    """Try once to connect to MLflow's database. MLflow itself would try ten times, which takes 100 seconds."""
    if uri.partition(":")[0].partition("+")[0] in DATABASE_SCHEMES:
        create_engine(uri, poolclass=NullPool).connect().close()


class RegistryClient:
    """Context manager that yields an MLflow client and turns MLflow's errors into `Unavailable`.

    The client connects to the registry. If `where` is given, it connects to that URI instead, for example to the
    tracking server.
    """

    def __init__(self, state: Path, server_uri: str | None = None) -> None:
        self.uri = server_uri or registry_uri(state)
        self.local = state / "mlflow"

    def __enter__(self) -> Any:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # the default, 7, takes four minutes to fail
        self.local.mkdir(parents=True, exist_ok=True)
        sqlite_journals.remove_planted_journals(self.local)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        # Both log the creation of every table of a new database.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        try:
            mlflow_database.create_mlflow_tables(self.uri)
            _require_database(self.uri)
            return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise self._unavailable(error) from error

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from mlflow.exceptions import MlflowException

        if isinstance(error, (MlflowException, SQLAlchemyError)):
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        why = format_url(str(error).partition("\n")[0])
        return Unavailable(f"MLflow at {format_url(self.uri)} cannot be used ({why}); try again")
