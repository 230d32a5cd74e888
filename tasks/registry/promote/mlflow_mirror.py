"""MLflow's registry as a mirror of the promotions, for people and tools. Hallmark trusts nothing that it reads there.

The version of a release is one that has its tags and its source: the place of its files, here or where the ledger says
that another machine registered it. Whoever may write to MLflow could give the tag alone to a version of their own.
MLflow numbers versions itself, so after a crash a version's number may be higher than the release's.
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

from tasks.core import mlflow_database, sqlite_journals
from tasks.core.config import FrozenModel
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


class AliasResult(FrozenModel):
    aliases: dict[str, str | None]
    """Release of each alias, as MLflow has it now."""
    moved_by_hand: list[str]
    """Descriptions of the aliases that were moved outside of Hallmark; they were set back."""


def registry_uri(state: Path) -> str:
    """Return the address of MLflow's registry: MLFLOW_REGISTRY_URI, MLFLOW_TRACKING_URI or SQLite in `.hallmark/`."""
    configured = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI")
    return configured or f"sqlite:///{(state / 'mlflow' / 'mlflow.db').resolve()}"


def register(governance: Governance, signed: SignedPromotion) -> int:
    """Create the MLflow version of a release if it does not exist, and return its number in MLflow.

    Raises:
        Unavailable: MLflow cannot be used.
    """
    with RegistryClient(governance.state) as client:
        return _ensure_version(client, governance, signed, set())


def unregister(governance: Governance, name: str, label: str) -> None:
    """Delete the MLflow version of a release that was never promoted, if it exists."""
    with RegistryClient(governance.state) as client:
        numbers = [int(version.version) for version in _tagged_versions(client, name, label)]
        if numbers:
            client.delete_model_version(name, str(min(numbers)))


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
            _set(client, name, alias, aliases.get(alias), version)
        _record(ledger, line.newest, _sources(client, name, wanted))
        labels = {alias: _label(client, name, version) for alias, version in wanted.items()}
    return AliasResult(aliases=labels, moved_by_hand=moved)


def is_mirrored(ledger: Ledger, newest: SignedPromotion) -> bool:
    """Return whether the aliases were set after this statement was made."""
    entries = ledger.entries(MIRRORED, newest.promotion.name)
    return any(entry.body.get("statement") == newest.sha256 for entry in entries)


def _signed_tags(signed: SignedPromotion) -> dict[str, str]:
    promotion = signed.promotion
    places = {gate: f"{bundle.ATTESTATIONS}/evidence/{gate}.json" for gate in promotion.gates}
    evidence = {gate: promotion.files[place] for gate, place in places.items() if place in promotion.files}
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
    }


def _package_tags(folder: Path) -> dict[str, str]:
    package = manifest.read(folder / bundle.PAYLOAD)
    return {
        "hallmark.dataset_sha256": package.stages["split"],
        "hallmark.params_sha256": package.params_sha256,
        "hallmark.base_model_sha256": package.base_model_sha256,
    }


def _required_versions(client: Any, ledger: Ledger, governance: Governance, line: Promotions) -> dict[str, int | None]:
    """Return MLflow's version by alias, None for an unused alias.

    A version that MLflow lost, or that is not as it was registered, is created again.
    """
    holders = {releases.CHAMPION: line.newest, releases.ROLLBACK: line.previous()}
    return {
        alias: _ensure_version(client, governance, signed, _recorded_sources(ledger, signed)) if signed else None
        for alias, signed in holders.items()
    }


def _recorded_sources(ledger: Ledger, signed: SignedPromotion) -> set[str]:
    """Return the sources with which machines registered a release, as the ledger has them."""
    entries = ledger.entries(MIRRORED, signed.promotion.name)
    found = (entry.body.get("sources", {}).get(signed.promotion.label) for entry in entries)
    return {source for source in found if source}


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
        f"the newest promotion statement says {version or 'none'}"
        for alias, version in wanted.items()
        if aliases.get(alias) != version
    }
    for alias, text in moved.items():
        facts = {"statement": newest.sha256, "alias": alias, "found": aliases.get(alias)}
        role = rollback_orders.owner_role(governance, newest.promotion.tier)
        message = (
            f"{text}. The alias is set back. Hallmark's own servers follow the signed statement; who loads a model by "
            "MLflow's alias may have had another one until now. Find out who changed MLflow and why"
        )
        incidents.open_if_new(
            ledger, governance, "alias-moved", newest.promotion.label, facts, "major", role, message, recurs=True
        )
    return list(moved.values())


def _set(client: Any, name: str, alias: str, current: int | None, wanted: int | None) -> None:
    if wanted is None and current is not None:
        client.delete_registered_model_alias(name, alias)
    elif wanted is not None and current != wanted:
        client.set_registered_model_alias(name, alias, str(wanted))


def _sources(client: Any, name: str, wanted: Mapping[str, int | None]) -> dict[str, str]:
    """Return the source of each version that has an alias, by release."""
    versions = [client.get_model_version(name, str(number)) for number in wanted.values() if number is not None]
    return {version.tags[RELEASE_TAG]: version.source for version in versions}


def _record(ledger: Ledger, newest: SignedPromotion, sources: Mapping[str, str]) -> None:
    with ledger.transaction():
        if not is_mirrored(ledger, newest):
            body = {"statement": newest.sha256, "sequence": newest.promotion.sequence, "sources": dict(sources)}
            ledger.append(MIRRORED, newest.promotion.name, body)


def _ensure_version(client: Any, governance: Governance, signed: SignedPromotion, recorded: set[str]) -> int:
    """Return the number of a release's version in MLflow, which is created if there is none.

    Args:
        client: MLflow's client.
        governance: Governance, whose state has the release's folder if this machine has the release.
        signed: Promotion of the release.
        recorded: Sources of the version if other machines registered it.

    Raises:
        Unavailable: There is no such version, and this machine does not have the release.
    """
    promotion = signed.promotion
    folder = bundle.folder(governance.state, promotion.label).resolve()
    source, here = (folder / bundle.PAYLOAD).as_uri(), folder.is_dir()
    tags = _signed_tags(signed) | (_package_tags(folder) if here else {})
    known = [
        int(version.version)
        for version in _tagged_versions(client, promotion.name, promotion.label)
        if version.source in {source, *recorded} and tags.items() <= version.tags.items()
    ]
    if known:
        return min(known)
    if not here:
        raise Unavailable(
            f"MLflow has no version of {promotion.label} as it was promoted, and this machine does not have the "
            "release; the machine that promoted it registers it anew"
        )
    _ensure_model(client, promotion.name)
    return int(client.create_model_version(promotion.name, source, tags=tags, await_creation_for=0).version)


def _ensure_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Promoted by Hallmark; aliases mirror its signed statements.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _tagged_versions(client: Any, name: str, label: str) -> list[Any]:
    return list(client.search_model_versions(f"name = '{name}' and tags.`{RELEASE_TAG}` = '{label}'"))


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
            raise self._away(error) from error

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from mlflow.exceptions import MlflowException

        if isinstance(error, (MlflowException, SQLAlchemyError)):
            raise self._away(error) from error

    def _away(self, error: Exception) -> Unavailable:
        where = re.sub(r"//([^:@/]*):[^@]*@", r"//\1:***@", self.uri)  # no password in a message
        return Unavailable(f"MLflow at {where} cannot be used ({str(error).splitlines()[0]}); try again")
