"""Stage of a run, as an entry of the table in `tasks.core.graph`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCES, SUITES, CHAMPION, CODE = (f"inputs/{name}.json" for name in ("sources", "suites", "champion", "code"))


@dataclass(frozen=True)
class Stage:
    name: str
    module: str
    """Module that contains the function `run(params, layout)`, or `run(params, layout, which)` if the stage has
    variants."""
    params: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Paths of the files and folders that the stage reads, relative to the worktree. Code is not included."""
    gates: tuple[str, ...] = ()
    """Gates that must be passed before the stage runs. The stage verifies their gate statements."""
    rules: tuple[str, ...] = ()
    """Names of the rules by which a data stage can quarantine a row, as written to quarantine.parquet."""
    has_measurements: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    """Variants of a stage that runs once per variant. Each name is mapped to a path that the variant reads in addition
    to `inputs`."""

    @property
    def dvc_names(self) -> tuple[str, ...]:
        """Names of the stage in DVC and on the command line, one for each variant, for example `predict@base`."""
        return tuple(f"{self.name}@{key}" for key in self.variants) or (self.name,)

    @property
    def output_folders(self) -> tuple[str, ...]:
        """Output folders of the stage, relative to artefacts/ and measured/, one for each variant."""
        return tuple(f"{self.name}/{key}" for key in self.variants) or (self.name,)

    def dependencies(self, key: str = "") -> list[str]:
        gate = [*(f"gates/{name}.json" for name in self.gates), *(["inputs/authority.json"] if self.gates else [])]
        own = [self.variants[key]] if key else []
        return [*self.inputs, *own, *gate, "constraints.txt"]
