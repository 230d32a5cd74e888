"""Work pools, which execute runs of schedules and triggers in place of the runner of the requesting machine."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel

PoolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class Pool(FrozenModel):
    """Work pool: machines, or a cluster, that take runs from one queue."""

    type: Literal["process", "kubernetes"] = "process"
    """Kind of pool. `process`: machines on which `hallmark work NAME` runs. `kubernetes`: one job for each flow run."""
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    """Maximum number of runs that the whole pool executes at once; null if only its workers limit the number. Suspended
    runs do not count."""
    image: Annotated[str, Field(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")] | None = None
    """Container image for `kubernetes`, pinned by its digest. It must contain Hallmark, and a clone of the project in
    /srv/hallmark. null if the worker of the Helm chart supplies the job template with the image (`runs.fromChart`)."""
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = "hallmark"
    """Kubernetes namespace of the jobs, for `kubernetes`."""

    @model_validator(mode="after")
    def _image_is_for_kubernetes(self) -> Self:
        if self.type == "process" and self.image is not None:
            raise ValueError("expected an `image` for `type: kubernetes` alone")
        return self

    @property
    def is_job_from_chart(self) -> bool:
        """Whether the worker of the Helm chart supplies the pool's job template, and `hallmark deploy` keeps it."""
        return self.type == "kubernetes" and self.image is None

    @property
    def in_words(self) -> str:
        most = f", {self.concurrency} at once" if self.concurrency else ""
        return f"{self.type}{most}"


def find_undeclared_pools(asks: dict[str, Any], pools: dict[str, Pool]) -> list[str]:
    return [f"{name}: there is no pool {each.pool!r}" for name, each in asks.items() if each.pool not in (None, *pools)]
