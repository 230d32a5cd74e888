"""Stage of a run, as an entry of the table in `tasks.core.graph`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCES, SUITES, CHAMPION, CODE = (f"inputs/{name}.json" for name in ("sources", "suites", "champion", "code"))


@dataclass(frozen=True)
class Stage:
    name: str
    module: str
    """Module with the function `run(params, layout)`, or `run(params, layout, which)` if the stage has variants."""
    params: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Files and folders that the stage reads, relative to the root of the worktree, except code."""
    gates: tuple[str, ...] = ()
    """Gates that must be passed; the stage verifies their statements."""
    rules: tuple[str, ...] = ()
    """Rules by which a data stage may quarantine a row, as named in quarantine.parquet."""
    has_measurements: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    """Variants of a stage that runs several times, each with a path that it reads in addition to `inputs`."""

    @property
    def dvc_names(self) -> tuple[str, ...]:
        """Names of the stage in DVC and on the command line, one for each variant, for example `predict@base`."""
        return tuple(f"{self.name}@{key}" for key in self.variants) or (self.name,)

    @property
    def output_folders(self) -> tuple[str, ...]:
        """Output folders of the stage below artefacts/ and measured/, one for each variant."""
        return tuple(f"{self.name}/{key}" for key in self.variants) or (self.name,)

    def dependencies(self, key: str = "") -> list[str]:
        gate = [*(f"gates/{name}.json" for name in self.gates), *(["inputs/authority.json"] if self.gates else [])]
        own = [self.variants[key]] if key else []
        return [*self.inputs, *own, *gate, "constraints.txt"]
