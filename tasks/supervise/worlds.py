"""Where what a stage finds in the state lies: for an experiment in a part of the state that is the experiments' own."""

from pathlib import Path

from tasks.core.layout import Layout
from tasks.sources import vault_keys

OWN = (vault_keys.FILE, Path(vault_keys.FOLDER), Path("ingested"), Path("checkpoints"))
"""What each world has of its own, below the state. What else a stage is shown of the state, it only reads."""


def source(path: Path, layout: Layout) -> Path:
    """Where that lies what a stage finds at `path`."""
    if not path.is_relative_to(layout.state):
        return path
    inside = path.relative_to(layout.state)
    return layout.world / inside if any(inside.is_relative_to(own) for own in OWN) else path
