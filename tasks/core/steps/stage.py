"""Stage of a run, as an entry of the table in `tasks.core.graph`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCES_PATH, SUITES_PATH, EVALUATIONS_PATH, CHAMPION_PATH, CODE_PATH = (
    f"inputs/{name}.json" for name in ("sources", "suites", "evaluations", "champion", "code")
)


@dataclass(frozen=True)
class Stage:
    name: str
    module_name: str
    """Module that contains the function `run(params, layout)`, or `run(params, layout, which)` if the stage has
    variants."""
    param_sections: tuple[str, ...] = ()
    input_paths: tuple[str, ...] = ()
    """Paths of the files and folders that the stage reads, relative to the worktree. Code is not included."""
    required_gates: tuple[str, ...] = ()
    """Gates that must be passed before the stage runs. The stage verifies their gate statements."""
    quarantine_rules: tuple[str, ...] = ()
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
        """Names of the stage's output folders below artefacts/ and measured/, one for each variant."""
        return tuple(f"{self.name}/{key}" for key in self.variants) or (self.name,)

    def dependency_paths(self, variant: str = "") -> list[str]:
        gate = [
            *(f"gates/{name}.json" for name in self.required_gates),
            *(["inputs/authority.json"] if self.required_gates else []),
        ]
        own = [self.variants[variant]] if variant else []
        return [*self.input_paths, *own, *gate, "constraints.txt"]
