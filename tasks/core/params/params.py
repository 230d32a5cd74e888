"""Schema of params.yaml as a whole. Stages load single sections, so adding a section does not make them run again."""

from pathlib import Path

from pydantic import ValidationInfo, field_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.params import methods, vllm
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.data import Data
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts
from tasks.core.params.resources import Resources
from tasks.core.params.training import SETTINGS_THAT_NEED_VALIDATION, Training
from tasks.core.params.use_case import UseCase

MAX_NAME_CHARS = 200
"""Maximum number of characters in `use_case.name`. Names of releases and their files begin with it, and file systems
allow 255 characters in a file name."""


class Params(FrozenModel):
    use_case: UseCase
    """Use-case card: purpose, owners and success metrics of the model."""
    prompts: Prompts
    """Prompts by task. The `task` of every record must be a key here."""
    data: Data
    """Settings for cleaning, deduplication and the split."""
    base_model: BaseModelParams
    """Origin of the model to fine-tune."""
    training: Training
    """Settings for fine-tuning."""
    evaluation: Evaluation
    """Settings for prediction and metrics."""
    resources: Resources = Resources()
    """Memory, price and speed of the machines used for training, for the estimates of `hallmark preflight`."""

    @field_validator("use_case")
    @classmethod
    def _check_name(cls, use_case: UseCase) -> UseCase:
        if len(use_case.name) > MAX_NAME_CHARS:
            raise ValueError(
                f"name: expected at most {MAX_NAME_CHARS} characters, got {len(use_case.name)}; shorten it"
            )
        return use_case

    @field_validator("data")
    @classmethod
    def _check_covered_tasks(cls, data: Data, validation_info: ValidationInfo) -> Data:
        tasks = validation_info.data.get("prompts")
        if tasks is not None and (unknown := sorted({rule.task for rule in data.coverage} - tasks.keys())):
            raise ValueError(
                f"coverage: no task in prompts is named {unknown[0]}; there are {', '.join(sorted(tasks))}"
            )
        return data

    @field_validator("training")
    @classmethod
    def _check_method(cls, training: Training, validation_info: ValidationInfo) -> Training:
        """Check that the training method suits the approach.

        This is a field validator, because pydantic does not run a model validator if another section is invalid.
        """
        approach = validation_info.data["use_case"].approach if "use_case" in validation_info.data else ""
        wanted = methods.methods_for_approach(approach)
        if wanted and training.method not in wanted:
            raise ValueError(
                f"use_case.approach {approach} wants training.method {' or '.join(wanted)}, got {training.method}"
            )
        return training

    @field_validator("training")
    @classmethod
    def _check_validation_rows(cls, training: Training, validation_info: ValidationInfo) -> Training:
        """Check that there are validation rows if a setting requires them.

        Without this check, stage `train` would fail only after people have decided at the data gate.
        """
        asked = [name for name in SETTINGS_THAT_NEED_VALIDATION if getattr(training, name) is not None]
        if asked and "data" in validation_info.data and not validation_info.data["data"].validation_share:
            raise ValueError(
                f"{' and '.join(asked)}: there are no validation rows to look at; set data.validation_share, or leave "
                f"out {' and '.join(asked)}"
            )
        return training

    @field_validator("training")
    @classmethod
    def _check_text_windows(cls, training: Training, validation_info: ValidationInfo) -> Training:
        if not {"use_case", "prompts"} <= validation_info.data.keys():
            return training
        approach = validation_info.data["use_case"].approach
        windows = {
            task: prompt.text_window for task, prompt in validation_info.data["prompts"].items() if prompt.text_window
        }
        if (approach in methods.TEXT_APPROACHES) != bool(windows):
            named = f"{', '.join(windows)} has one" if windows else "none has one"
            raise ValueError(
                f"use_case.approach {' or '.join(methods.TEXT_APPROACHES)} goes with a task whose prompt has a "
                f"text_window: the approach is {approach}, and of the prompts {named}"
            )
        if too_long := [task for task, window in windows.items() if window > training.max_length]:
            raise ValueError(
                f"prompts.{too_long[0]}.text_window {windows[too_long[0]]} is more than training.max_length "
                f"{training.max_length}: raise that, or lower the window"
            )
        return training

    @field_validator("evaluation")
    @classmethod
    def _check_vllm(cls, evaluation: Evaluation, validation_info: ValidationInfo) -> Evaluation:
        training = validation_info.data.get("training")
        if (
            not training
            or evaluation.engine != "vllm"
            or not methods.get_method(training.method).result_form.needs_base
        ):
            return evaluation
        if why := vllm.unsupported_adapter_reason(training.lora_rank, training.lora_variant == "dora"):
            raise ValueError(f"engine vllm: {why}; or set engine to transformers")
        return evaluation

    @field_validator("evaluation")
    @classmethod
    def _check_calibration_rows(cls, evaluation: Evaluation, validation_info: ValidationInfo) -> Evaluation:
        """Check that there are calibration rows if a precision is required.

        Without this check, stage `evaluate` would fail only after the training.
        """
        data = validation_info.data.get("data")
        if evaluation.required_precision is not None and data and not data.calibration_share:
            raise ValueError(
                "required_precision: there are no rows to choose the threshold by; set data.calibration_share, or "
                "leave out required_precision"
            )
        return evaluation


def load_params(path: Path) -> Params:
    return config.load_settings(path, Params)
