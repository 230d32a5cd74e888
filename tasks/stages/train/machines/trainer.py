"""Ray Train's trainer, without actors that Hallmark does not use.

Ray Train starts up to five actors in addition to its workers. Each actor is a Python process that takes 1.5 to 2 CPU
seconds to start. Three of them are omitted here. One distributes the shards of Ray datasets, which Hallmark does not
use. The other two are useful only on a cluster: one requests machines from its autoscaler, and one releases reserved
resources if the controller dies. Some actors are omitted by the names of Ray's callbacks that start them. These names
are private in Ray 2.60. If a later version renames them, the actors start, and training still works.

Ray's controller imports this file. The file does not import torch, because the workers connect themselves (worker.py).
"""

from collections.abc import Callable
from typing import Any

from ray.train.backend import Backend, BackendConfig
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

DATASETS_CALLBACK, CLEANER_CALLBACK = "DatasetsCallback", "PlacementGroupCleanerCallback"


class SharedGpusBackend(Backend):
    """Backend that lets each worker see the GPUs of all workers on its machine, as DeepSpeed and NCCL expect."""

    share_cuda_visible_devices = True


class SharedGpusConfig(BackendConfig):
    @property
    def backend_cls(self) -> type[Backend]:
        return SharedGpusBackend


class Trainer(DataParallelTrainer):
    omitted_callbacks = frozenset({DATASETS_CALLBACK})

    def __init__(self, work: Callable[[dict[str, Any]], None], **given: Any) -> None:
        super().__init__(work, backend_config=SharedGpusConfig(), **given)

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [each for each in callbacks if type(each).__name__ not in self.omitted_callbacks]


class SingleMachineTrainer(Trainer):
    """Trainer for the private Ray instance that the stage starts on this machine."""

    omitted_callbacks = frozenset({DATASETS_CALLBACK, CLEANER_CALLBACK})

    def _initialize_and_run_controller(self, **given: Any) -> Any:
        policy = FixedWorkersPolicy(self.scaling_config)  # type: ignore[arg-type]  # annotated with Ray Train v1's type
        return super()._initialize_and_run_controller(**given | {"scaling_policy": policy})


class FixedWorkersPolicy(FixedScalingPolicy):
    """Scaling policy with a fixed number of workers. It requests nothing from an autoscaler."""

    def after_controller_start(self, train_run_context: Any) -> None:
        pass

    def _maybe_send_resource_request(self) -> None:
        pass
