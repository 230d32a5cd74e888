"""Digest of everything that determines a candidate's bytes. Two candidates with the same digest are identical."""

from tasks.core import code_digest, files
from tasks.core.documents import config
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.payload.manifest import effective_inputs


def candidate_inputs_digest(layout: Layout) -> str:
    """Return the SHA-256 of everything that determines the candidate's bytes.

    The digest covers the parameter values (without comments and key order), the resolved inputs, the code of the
    stages, dvc.yaml and the constraints file.
    """
    return files.sha256_bytes(
        canonical_json(
            {
                "params": config.read_plain_yaml(layout.params_path),
                "inputs": {path.name: files.sha256_file(path) for path in effective_inputs(layout)},
                "code": code_digest.all_stages_digest(layout.root),
                "graph": files.sha256_file(layout.root / "dvc.yaml"),
                "constraints": files.sha256_file(layout.root / "constraints.txt"),
            }
        )
    )
