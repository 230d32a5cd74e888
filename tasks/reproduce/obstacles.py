"""Reasons why a reproduction may differ from the original, or why a stage cannot be built on this machine."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tasks.consent import release_sources, withdrawals
from tasks.core import code_digest
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.core.version import OLDEST_RESUMABLE_VERSION
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.sources import resolved_sources
from tasks.suppression import in_force

PINNED_REQUIREMENT_PATTERN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)")
MAX_LISTED_LIBRARIES = 5


def find_obstacles(layout: Layout, release_manifest: Manifest | None, params: Params) -> list[str]:
    """Return the reasons why reproduced outputs may differ from the original ones, before any stage is executed."""
    return [
        *(_input_differences(layout, release_manifest) if release_manifest else ()),
        *_library_differences(layout.root / "constraints.txt"),
        *_machine_obstacles(params),
    ]


def withdrawal_reason(layout: Layout, ledger: Ledger, governance: Governance) -> str | None:
    """Return why the sources cannot be read again if an owner has withdrawn one of them, otherwise None."""
    return withdrawals.block_reason(ledger, governance, release_sources.sources_of_run(layout))


def suppression_reason(layout: Layout, run: str, ledger: Ledger) -> str | None:
    """Return why the sources cannot be read again if the run's inputs do not leave out somebody who is to be forgotten.

    None if they leave everybody out.
    """
    try:
        if in_force.suppressed_digests(ledger):
            in_force.require_left_out(resolved_sources.load_resolved(layout.sources_path).suppressed, ledger, run)
    except Refused as refused:
        return str(refused)
    return None


def _input_differences(layout: Layout, release_manifest: Manifest) -> Iterator[str]:
    now = manifest.build_input_fields(layout, code_digest.all_stages_digest(layout.root))
    if release_manifest.tree_sha256 == now["tree_sha256"] and release_manifest.code_sha256 != now.pop("code_sha256"):
        yield (
            f"the digest of its code was made by a Hallmark before {OLDEST_RESUMABLE_VERSION}, which left docstrings "
            "and comments out, so it cannot be compared; the commit holds the files that the manifest names"
        )
    for name, digest in now.items():
        if getattr(release_manifest, name) != digest:
            yield f"{name} of the commit is not the manifest's: the release was made with something else"


def _library_differences(constraints: Path) -> Iterator[str]:
    lines = constraints.read_text().splitlines()
    wanted = {match[1]: match[2] for line in lines if (match := PINNED_REQUIREMENT_PATTERN.match(line))}
    installed = {name: _installed_version(name) for name in wanted}
    other = [
        f"{name} {version} (wanted {wanted[name]})"
        for name, version in installed.items()
        if version not in (None, wanted[name])
    ]
    if other:
        more = f" and {len(other) - MAX_LISTED_LIBRARIES} more" if len(other) > MAX_LISTED_LIBRARIES else ""
        yield (
            f"other library versions than the release's constraints.txt: "
            f"{', '.join(other[:MAX_LISTED_LIBRARIES])}{more}"
        )


def _installed_version(name: str) -> str | None:
    """Return a library's installed version without the build suffix, such as 2.13.0 for torch 2.13.0+cpu."""
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None  # it is for another platform, or of an extra that is not installed


def _machine_obstacles(params: Params) -> Iterator[str]:
    if params.training.device == "gpu":
        yield "trained on GPUs, some of whose kernels give other bits each time"
