"""A stage of a run, as the table of `tasks.core.graph` states it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCES, SUITES, CHAMPION, CODE = (f"inputs/{name}.json" for name in ("sources", "suites", "champion", "code"))


@dataclass(frozen=True)
class Stage:
    name: str
    module: str
    """Its `run(params, layout)` is the stage, `run(params, layout, which)` for one of `each`."""
    params: tuple[str, ...] = ()
    """Sections of params.yaml that it reads."""
    reads: tuple[str, ...] = ()
    """Files and folders, from the root of the worktree, that are not code."""
    behind: tuple[str, ...] = ()
    """The gates that let it run: it verifies their statements."""
    rules: tuple[str, ...] = ()
    """Of data: why it may put a row aside, as quarantine.parquet says it."""
    measures: bool = False
    """It leaves figures in measured/ as well, of which no digest is taken."""
    each: Mapping[str, str] = field(default_factory=dict)
    """For a stage that runs several times: by variant, what that one reads beside `reads`."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Its name for DVC and on the command line, or those of its variants: `predict@base`, …"""
        return tuple(f"{self.name}@{key}" for key in self.each) or (self.name,)

    @property
    def folders(self) -> tuple[str, ...]:
        """Where its outputs lie, below artefacts/ and measured/."""
        return tuple(f"{self.name}/{key}" for key in self.each) or (self.name,)

    def dependencies(self, key: str = "") -> list[str]:
        """Every file and folder that it reads, code aside."""
        gate = [*(f"gates/{name}.json" for name in self.behind), *(["inputs/authority.json"] if self.behind else [])]
        own = [self.each[key]] if key else []
        return [*self.reads, *own, *gate, "constraints.txt"]
