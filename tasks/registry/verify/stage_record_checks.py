"""Checks that a release's stage records are signed and form one chain from the sources to the payload."""

from collections.abc import Iterator, Mapping

from tasks.core import files
from tasks.core.documents import config, yaml_text
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.gates import agreement
from tasks.policy.governance import LOCAL_ENVIRONMENT
from tasks.registry.release import bundle
from tasks.registry.release.promotions import Promotion
from tasks.registry.release.report import Check
from tasks.registry.verify.attestations import Attestations
from tasks.trust import stage_record
from tasks.trust.stage_record import SignedRecord

PARAMS, CONSTRAINTS = "params.yaml", "constraints.txt"
OUTPUTS, INPUTS, GATES = "artefacts/", "inputs/", "gates/"
UNVERIFIABLE_CLAIM = "what its stages read and left: it was promoted before stages were recorded"


def verify_stage_records(attested: Attestations, promotion: Promotion, listing: Mapping[str, str]) -> Iterator[Check]:
    """Check a release's stage records, and yield each check that passes.

    Releases of early Hallmark versions have no stage records. Nothing is checked in them.

    Raises:
        Refused: A check failed.
    """
    records = attested.stage_records()
    if not records and not any(evidence.recorded for evidence in attested.evidence.values()):
        return
    yield _passed_check(_check_outputs(attested, records, listing))
    yield _passed_check(_check_chain(attested, records, listing))
    yield _passed_check(_check_sandboxes(records, promotion.environment))
    if again := _check_reproductions(attested, records, promotion.tier):
        yield _passed_check(again)


def _check_outputs(attested: Attestations, records: Mapping[str, SignedRecord], listing: Mapping[str, str]) -> str:
    wanted = {folder.replace("/", "@"): sha256 for folder, sha256 in attested.manifest.stages.items()}
    wanted["package"] = bundle.package_digest(dict(listing))
    if records.keys() != wanted.keys():
        raise Refused(f"stages without a record, or records of none: {', '.join(sorted(records.keys() ^ wanted))}")
    for name, record in records.items():
        folder = f"{OUTPUTS}{name.replace('@', '/')}"
        if stage_record.digest_of_path(folder, record.outputs) != wanted[name]:
            raise Refused(f"the record of stage {name} is about other outputs than those of this release")
    seen = {name: it.sha256 for evidence in attested.evidence.values() for name, it in evidence.recorded.items()}
    if other := sorted(name for name in seen.keys() | records if seen.get(name) != _digest(records, name)):
        raise Refused(f"no gate looked at the record of stage {', '.join(other)} that is in this release")
    by = ", ".join(sorted({record.keyid for record in records.values()}))
    earlier = sorted({record.record.environment.run for record in records.values() if record.record.taken_from})
    from_cache = sum(record.record.taken_from is not None for record in records.values())
    cache_note = f"; {from_cache} of them were computed in {', '.join(earlier)}, which signed that too" * bool(
        from_cache
    )
    return f"each of {len(records)} stages was signed with what it read and left, by the worker's key {by}{cache_note}"


def _digest(records: Mapping[str, SignedRecord], name: str) -> str | None:
    return records[name].sha256 if name in records else None


def _check_chain(attested: Attestations, records: Mapping[str, SignedRecord], listing: Mapping[str, str]) -> str:
    outputs = {path: sha256 for record in records.values() for path, sha256 in record.outputs.items()}
    known, manifest = _stated_input_digests(attested, listing), attested.manifest
    for name, record in records.items():
        if record.record.tree_sha256 != manifest.tree_sha256:
            raise Refused(f"the record of stage {name} is of another tree than the release")
        if lacks := sorted({stage_record.CODE_MATERIAL, CONSTRAINTS} - record.record.inputs.keys()):
            raise Refused(f"the record of stage {name} does not say which {', '.join(lacks)} it had")
        for path, sha256 in record.record.inputs.items():
            if path == stage_record.CODE_MATERIAL:
                continue
            stated = (
                stage_record.digest_of_path(path, outputs)
                if path.startswith(OUTPUTS)
                else known.setdefault(path, sha256)
            )
            if stated != sha256:
                raise Refused(f"stage {name} read another {path} than this release was made from")
    code = {name: record.record.inputs.get(stage_record.CODE_MATERIAL) for name, record in records.items()}
    if files.sha256_bytes(canonical_json(code)) != manifest.code_sha256:
        raise Refused("the stages ran other code than payload/manifest.json says")
    sources = len(attested.dataset.sources)
    return f"what each read is what another left: one chain from {sources} source{'s' * (sources > 1)} to the payload"


def _stated_input_digests(attested: Attestations, listing: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of each input that no stage has written, by path, as other parts of the release state it.

    An input that is stated nowhere else must have the same digest in all stage records.
    """
    manifest, place = attested.manifest, f"{bundle.PAYLOAD}/{PARAMS}"
    if listing.get(place) != manifest.params_sha256:
        raise Refused(f"{place} is not the file that payload/manifest.json names")
    given = config.to_plain_value(yaml_text.parse_with_limits(attested.files.file_bytes(place).decode(), place))
    prefix = f"{bundle.ATTESTATIONS}/gates/"
    return {
        PARAMS: manifest.params_sha256,
        CONSTRAINTS: manifest.constraints_sha256,
        **{f"{INPUTS}{name}": sha256 for name, sha256 in manifest.inputs.items()},
        **{f"{PARAMS}#{name}": stage_record.section_digest(value) for name, value in given.items()},
        **{f"{GATES}{name.removeprefix(prefix)}": listing[name] for name in listing if name.startswith(prefix)},
    }


def _check_sandboxes(records: Mapping[str, SignedRecord], environment: str) -> str:
    without = sorted(name for name, record in records.items() if record.record.environment.sandbox is None)
    if without and environment != LOCAL_ENVIRONMENT:
        raise Refused(f"stages ran without a sandbox, which does not count in {environment}: {', '.join(without)}")
    if without:
        return f"without a sandbox, as environment {LOCAL_ENVIRONMENT} allows, ran {', '.join(without)}"
    by = ", ".join(sorted({str(record.record.environment.sandbox) for record in records.values()}))
    online = sorted(name for name, record in records.items() if record.record.environment.network)
    network_note = f"; {', '.join(online)} had a network" * bool(online)
    return f"every stage ran in a sandbox ({by}), where it saw its own code and inputs{network_note}"


def _check_reproductions(attested: Attestations, records: Mapping[str, SignedRecord], tier: str) -> str:
    again, machines = attested.reproduction_records(), attested.policy.tier(tier).machines
    for name, others in again.items():
        if name not in records or not all(stage_record.have_same_outputs(records[name], each) for each in others):
            raise Refused(f"another machine left something else of stage {name} than is in this release")
    if short := agreement.disagreeing_stages(machines, records, again):
        raise Refused(f"policy asks for {machines} machines, and fewer made the same of stage {', '.join(short)}")
    least = next(number for number in range(9, 0, -1) if not agreement.disagreeing_stages(number, records, again))
    return f"{least} machines made the same of every stage, each with a worker's key of its own" * (least > 1)


def _passed_check(text: str) -> Check:
    return Check(about="stages", state="ok", text=text)
