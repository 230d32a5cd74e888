"""Resolution of a run: all inputs of stages except code and parameters are looked up and written to inputs/.

Stages do not read the clock or the registry. The values that they use are fixed here, committed with the run, and
digested like any other input.
"""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.code_versions import sign_off
from tasks.consent import withdrawals
from tasks.consent.withdrawals import UsedSource
from tasks.core import code_digest, files
from tasks.core.documents import config, yaml_text
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.declarations import declarations
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import champion
from tasks.registry.promote.champion import Champion
from tasks.runs.requests.source_resolution import resolve_sources
from tasks.sources import expectation_suites, sources, vault_keys
from tasks.sources.dataset import Dataset
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Sources
from tasks.stages.evaluate.suites import suite
from tasks.stages.evaluate.suites.suite import EvaluationSuite, EvaluationSuites
from tasks.suppression import in_force
from tasks.trust.gate_statement import Authority


def read_params(path: Path, changes: Mapping[str, str], text: str | None = None) -> tuple[Params, str]:
    """Return the validated parameters of a params file with `changes` applied, and their YAML text with comments.

    If `text` is given, it is used instead of the content of the file.

    Raises:
        InputError: The file cannot be read, or the parameters are not valid.
    """
    document = config.read_yaml(path) if text is None else config.parse_yaml(text, path)
    for key, value in changes.items():
        _set_value(document, key, value)
    checked = config.validate_document(document, Params, path, changes)
    written = StringIO()
    YAML().dump(document, written)
    return checked, written.getvalue()


def resolve_run(params: Params, ledger: Ledger, governance: Governance, layout: Layout, tree_sha256: str) -> None:
    """Resolve a run: write its sources, policy, champion and code digests to inputs/*.json below `layout`.

    Raises:
        InputError: A source does not exist, or the risk tier is unknown.
        Refused: A source was withdrawn, a declaration is not adopted, policy does not list the licence or the location
            of the base model, or policy has gates that this version of Hallmark does not support.
    """
    policy = governance.policy
    if why_not := policy.tier(params.use_case.risk_tier).unsupported_gates():
        raise Refused(f"the policy in force is of another version of Hallmark: {why_not}; adopt one for this version")
    policy.base_models.require_allowed(params.base_model, layout.state.parent)
    require_known_owners(params, governance)
    named = sources.load_sources(governance.folder)
    suites = expectation_suites.load_suites(governance.folder, named)
    evaluated = suite.suites_of_use_case(suite.load_suites(governance.folder), params.use_case.name)
    require_adopted_declarations(named, suites, evaluated, params, ledger, governance)
    authority = Authority(
        gate_public_keys=[key.public_key for key in governance.keys_of("gate") if key.revoked_as_of is None],
        policy_sha256=policy.digest(),
        environment=policy.environment,
        tier=params.use_case.risk_tier,
    )
    files.write_json(layout.authority_path, authority.model_dump(mode="json"))  # `is_apart` reads it
    if layout.is_experiment:
        vault_keys.create_key(layout.run_state)
    resolved = resolve_sources(
        named,
        layout.root,
        ledger.now().date(),
        vault_keys.load_keys(layout.run_state).fingerprint,
        in_force.suppressed_digests(ledger),
    )
    files.write_json(layout.sources_path, resolved.model_dump(mode="json"))
    files.write_json(layout.suites_path, suites.model_dump(mode="json"))
    files.write_json(layout.evaluations_path, EvaluationSuites(suites=evaluated).model_dump(mode="json"))
    code_digest.write_digests(layout)
    signed_off = sign_off.is_signed_off(ledger, governance, tree_sha256)
    files.write_json(layout.code_path, {"tree_sha256": tree_sha256, "signed_off": signed_off})
    reigning = champion.current_champion(ledger, governance, params.use_case.name)
    champion.write_champion_input(layout, reigning if _may_read_champion(layout, reigning) else None)


def _may_read_champion(layout: Layout, champion_release: Champion | None) -> bool:
    """Return whether a run is allowed to read the weights of the champion.

    Weights reveal training data, and an experiment chooses its own champion by the name of its use case. Unreviewed
    code is therefore only allowed to read a champion that was trained on public sources.
    """
    if champion_release is None or not layout.has_unreviewed_code:
        return True
    path = layout.state / champion_release.payload / "dataset" / "manifest.json"
    try:
        dataset = Dataset.from_bytes(path.read_bytes())
    except (OSError, ValueError):
        return False
    return all(each.classification == "public" for each in dataset.sources.values())


def require_adopted_declarations(
    declared_sources: Sources,
    suites: Suites,
    evaluation_suites: Sequence[EvaluationSuite],
    params: Params,
    ledger: Ledger,
    governance: Governance,
) -> None:
    """Verify that no source was withdrawn, and that owners have adopted sources, evaluation suites and use-case card.

    Raises:
        Refused: A source was withdrawn, or a declaration is not adopted.
    """
    uses = [UsedSource(each.id, location=each.location) for each in declared_sources.sources]
    if reason := withdrawals.block_reason(ledger, governance, uses):
        raise Refused(reason)
    card = declarations.declarations_of_params(params, governance.policy)
    read = declarations.declarations_of_sources(declared_sources, suites)
    asked = declarations.declarations_of_suites(evaluation_suites, params, governance.policy)
    declarations.require_in_force(ledger, governance, [*read, *asked, *card])


def require_known_owners(params: Params, governance: Governance) -> None:
    """Verify that the owners on the use-case card are in people.yaml.

    Raises:
        InputError: An owner is not in people.yaml.
    """
    named = params.use_case.owners.model_dump()
    missing = [f"use_case.owners.{role}: {who}" for role, who in named.items() if governance.people.get(who) is None]
    if missing:
        raise InputError(f"not in people.yaml: {'; '.join(missing)}; add the person or name another")


def _set_value(document: Any, key: str, value: str) -> None:
    *parents, last = key.split(".")
    place = document
    if parents and parents[0] not in document and parents[0] in Params.model_fields:
        document[parents[0]] = {}  # an optional section
    for part in parents:
        place = place.get(part) if isinstance(place, Mapping) else None
        if not isinstance(place, Mapping):
            raise InputError(f"--set {key}: there is no section {part!r}; `hallmark params schema` lists the keys")
    try:
        place[last] = yaml_text.parse_with_limits(value, "the value")
    except InputError as error:
        raise InputError(f"--set {key}={value}: {error}; write it as in a YAML file") from None
