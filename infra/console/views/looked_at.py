"""Whether a file of a run is the one that a gate looked at: a page beside a decision shows no other."""

from pathlib import Path

from infra.console.site import Here
from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.gates import cases
from tasks.trust.gate_statement import GateName


def require(here: Here, layout: Layout, gate: GateName, *paths: Path) -> bool:
    """False where the gate was not asked yet. Raises Refused for a file that its evidence has with another digest, or
    not at all."""
    asked = [case for case in cases.read(here.ledger, layout.root.name) if case.evidence.gate == gate]
    if not asked:
        return False
    known = asked[-1].evidence.artefacts
    for path in paths:
        name = path.relative_to(layout.root).as_posix()
        if known.get(name) != sha256_file(path):
            raise Refused(
                f"{name} of run {layout.root.name} is not what its {gate} gate looked at: its digest is another now. "
                "Whatever it shows, nobody approved it"
            )
    return True
