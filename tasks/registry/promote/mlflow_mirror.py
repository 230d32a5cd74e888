"""MLflow's registry as a mirror of the promotions, for people and tools. Hallmark trusts nothing that it reads there.

The version of a release is one that has its tag `hallmark.release` and whose files lie where Hallmark registered them:
whoever may write to MLflow can give the tag to a version of theirs. These places are in the ledger, since a checkout
may be copied or moved and keep its MLflow. MLflow numbers versions itself, so after a crash its number may be higher
than the release's.
"""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tasks.core.databases import mlflow_database, sqlite_journals
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.core.payload import manifest
from tasks.incidents import incidents
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases, rollback_orders
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import Promotions, SignedPromotion

DATABASE_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql")
RELEASE_TAG = "hallmark.release"
MIRRORED = "promotion.mirrored"
"""Kind of ledger entry, which records that MLflow's aliases were set as the named statement requires."""
REGISTERED = "promotion.registered"
"""Kind of ledger entry, which records where the files lie with which a release is registered in MLflow."""


class AliasResult(FrozenModel):
    aliases: dict[str, str | None]
    """Release of each alias, as MLflow has it now."""
    moved_by_hand: list[str]
    """Descriptions of the aliases that were moved outside of Hallmark; they were set back."""


def registry_uri(state: Path) -> str:
    """Return the address of MLflow's registry: MLFLOW_REGISTRY_URI, MLFLOW_TRACKING_URI or SQLite in `.hallmark/`."""
    configured = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI")
    return configured or f"sqlite:///{(state / 'mlflow' / 'mlflow.db').resolve()}"


def register(ledger: Ledger, governance: Governance, signed: SignedPromotion) -> None:
    """Create the MLflow version of a release if it does not exist.

    Raises:
        Unavailable: MLflow cannot be used.
    """
    with RegistryClient(governance.state) as client:
        _ensure_version(client, ledger, governance, signed)


def unregister(ledger: Ledger, governance: Governance, name: str, label: str) -> None:
    """Delete the MLflow version of a release that was never promoted, if it exists."""
    with RegistryClient(governance.state) as client:
        known = _version(client, ledger, name, label)
        if known is not None:
            client.delete_model_version(name, str(known))


def set_aliases(ledger: Ledger, governance: Governance, name: str) -> AliasResult:
    """Set MLflow's aliases as the newest statement requires, and report those that were moved otherwise.

    A model without a promotion is left alone. If MLflow is unavailable, the promotion is still valid.

    Raises:
        Unavailable: MLflow cannot be used.
    """
    line = promotions.read(ledger, governance, name)
    if line.newest is None:
        return AliasResult(aliases={}, moved_by_hand=[])
    with RegistryClient(governance.state) as client:
        wanted = _required_versions(client, ledger, governance, line)
        aliases = _aliases(client, name)
        moved = _report_moved_aliases(ledger, governance, line.newest, aliases, wanted)
        for alias, version in wanted.items():
            _set_alias(client, name, alias, aliases.get(alias), version)
        _record(ledger, line.newest)
        labels = {alias: _label(client, name, version) for alias, version in wanted.items()}
    return AliasResult(aliases=labels, moved_by_hand=moved)


def is_mirrored(ledger: Ledger, newest: SignedPromotion) -> bool:
    """Return whether the aliases were set after this statement was made."""
    entries = ledger.entries(MIRRORED, newest.promotion.name)
    return any(entry.body.get("statement") == newest.sha256 for entry in entries)


def _tags(signed: SignedPromotion, folder: Path) -> dict[str, str]:
    promotion = signed.promotion
    package = manifest.read(folder / bundle.PAYLOAD)
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


def _required_versions(client: Any, ledger: Ledger, governance: Governance, line: Promotions) -> dict[str, int | None]:
    """Return MLflow's version by alias, None for an unused alias. A version that MLflow lost is created again."""
    holders = {releases.CHAMPION: line.newest, releases.ROLLBACK: line.previous()}
    return {
        alias: _ensure_version(client, ledger, governance, signed) if signed else None
        for alias, signed in holders.items()
    }


def _report_moved_aliases(
    ledger: Ledger,
    governance: Governance,
    newest: SignedPromotion,
    aliases: Mapping[str, int],
    wanted: Mapping[str, int | None],
) -> list[str]:
    """Open an incident for each alias that was moved outside of Hallmark, and return a description of each."""
    if not is_mirrored(ledger, newest):
        return []  # not set yet since the newest statement
    moved = {
        alias: f"alias {alias} of {newest.promotion.name} was at MLflow version {aliases.get(alias, 'none')}, "
        f"it belongs at {version or 'none'}"
        for alias, version in wanted.items()
        if aliases.get(alias) != version
    }
    for alias, text in moved.items():
        facts = {"statement": newest.sha256, "alias": alias, "found": aliases.get(alias)}
        role = rollback_orders.owner_role(governance, newest.promotion.tier)
        message = (
            f"{text}. The alias is set back. Hallmark's servers follow the signed statement; who loads a model by "
            "MLflow's alias may have had another one until now. Find out who changed MLflow and why"
        )
        incidents.open_if_new(
            ledger, governance, "alias-moved", newest.promotion.label, facts, "major", role, message, recurs=True
        )
    return list(moved.values())


def _set_alias(client: Any, name: str, alias: str, current: int | None, wanted: int | None) -> None:
    if wanted is None and current is not None:
        client.delete_registered_model_alias(name, alias)
    elif wanted is not None and current != wanted:
        client.set_registered_model_alias(name, alias, str(wanted))


def _record(ledger: Ledger, newest: SignedPromotion) -> None:
    with ledger.transaction():
        if not is_mirrored(ledger, newest):
            body = {"statement": newest.sha256, "sequence": newest.promotion.sequence}
            ledger.append(MIRRORED, newest.promotion.name, body)


def _ensure_version(client: Any, ledger: Ledger, governance: Governance, signed: SignedPromotion) -> int | None:
    """Return the number of a release's version; None if there is none and this machine does not have the release."""
    promotion = signed.promotion
    folder = bundle.folder(governance.state, promotion.label).resolve()
    if not folder.is_dir():
        return _version(client, ledger, promotion.name, promotion.label)
    source = (folder / bundle.PAYLOAD).as_uri()
    # before the version is made, so that after a kill its place is known to a copy of the checkout too
    _record_source(ledger, promotion.name, promotion.label, source)
    known = _version(client, ledger, promotion.name, promotion.label)
    if known is not None:
        return known
    _ensure_model(client, promotion.name)
    made = client.create_model_version(promotion.name, source, tags=_tags(signed, folder), await_creation_for=0)
    return int(made.version)


def _record_source(ledger: Ledger, name: str, label: str, source: str) -> None:
    with ledger.transaction():
        if source not in _sources(ledger, name, label):
            ledger.append(REGISTERED, name, {"release": label, "source": source})


def _sources(ledger: Ledger, name: str, label: str) -> list[object]:
    entries = ledger.entries(REGISTERED, name)
    return [entry.body.get("source") for entry in entries if entry.body.get("release") == label]


def _ensure_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Promoted by Hallmark; aliases mirror its signed statements.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(client: Any, ledger: Ledger, name: str, label: str) -> int | None:
    tagged = client.search_model_versions(f"name = '{name}' and tags.`{RELEASE_TAG}` = '{label}'")
    sources = _sources(ledger, name, label)
    return min((int(version.version) for version in tagged if version.source in sources), default=None)


def _aliases(client: Any, name: str) -> dict[str, int]:
    return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}


def _label(client: Any, name: str, version: int | None) -> str | None:
    return None if version is None else client.get_model_version(name, str(version)).tags.get(RELEASE_TAG)


def _require_database(uri: str) -> None:
    """Connect to a database once. MLflow itself tries ten times, which takes 100 seconds if the database is down."""
    if uri.partition(":")[0].partition("+")[0] in DATABASE_SCHEMES:
        create_engine(uri, poolclass=NullPool).connect().close()


class RegistryClient:
    """Context manager that gives MLflow's client and raises its errors as Unavailable.

    `where` is the address of another MLflow server than the registry, for example the one with the runs.
    """

    def __init__(self, state: Path, where: str | None = None) -> None:
        self.uri = where or registry_uri(state)
        self.local = state / "mlflow"

    def __enter__(self) -> Any:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # the default, 7, takes four minutes to fail
        self.local.mkdir(parents=True, exist_ok=True)
        sqlite_journals.remove_planted(self.local)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        # Both log the creation of every table of a new database.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        try:
            mlflow_database.create(self.uri)
            _require_database(self.uri)
            return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise self._unavailable(error) from error

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from mlflow.exceptions import MlflowException

        if isinstance(error, (MlflowException, SQLAlchemyError)):
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        where = re.sub(r"//([^:@/]*):[^@]*@", r"//\1:***@", self.uri)  # no password in a message
        return Unavailable(f"MLflow at {where} cannot be used ({str(error).splitlines()[0]}); try again")
