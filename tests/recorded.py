"""Stage records for outputs that a test wrote itself, signed as the supervisor would sign them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.core.files import read_json
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.supervise import materials
from tasks.trust import keys, stage_record
from tasks.trust.stage_record import StageEnvironment, StageRecord

SANDBOX = "bubblewrap 0.11.0"


def record(layout: Layout, ledger: Ledger, key: Path, names: Iterable[str] = DVC_STAGES, **said: Any) -> None:
    """Enter a record of each stage with outputs in the ledger; `said` replaces fields of the records."""
    for name in names:
        if layout.artefacts(name.replace("@", "/")).exists():
            told = {"stage": name, "outputs": "0" * 64, "read": {}, "cached": False, "seconds": 1.0}
            body = told | {"envelope": sign(layout, name, key, **said)}
            ledger.append(stage_record.STAGE_ENTRY_KIND, layout.root.name, body)


def sign(layout: Layout, name: str, key: Path, sandbox: str | None = SANDBOX, **said: Any) -> dict[str, Any]:
    """Return the record of a stage with its present outputs, signed with the private key at `key`."""
    made = StageRecord(
        name=name,
        command=["python", "-I", "tasks/stages/start.py", name],
        materials=stage_record.make_materials(materials.material_digests(name, layout)),
        environment=StageEnvironment(
            run=layout.root.name, sandbox=sandbox, network=False, platform="x86_64, Linux", packages="0" * 64
        ),
        tree_sha256=read_json(layout.code_path)["tree_sha256"],
    )
    signer = keys.make_signer(keys.load_private_key(key))
    return stage_record.sign_record(made.model_copy(update=said), materials.output_digests(name, layout), signer)
