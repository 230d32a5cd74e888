"""Inference settings of a release, payload/asking.json.

With these settings, the release gives the same answers as in its evaluation.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, ValidationError, model_serializer

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts

FILE_NAME = "asking.json"
TORCH_DTYPES: dict[str, Literal["float32", "bfloat16"]] = {"fp32": "float32", "bf16": "bfloat16"}


class Decoding(FrozenModel):
    """Decoding settings with the field names of transformers' GenerationConfig.

    Decoding is greedy and stops at a token that ends a turn.
    """

    do_sample: Literal[False] = False
    max_new_tokens: int
    eos_token_id: list[int]
    """Ids of the tokens that end a turn. These tokens are not part of the answer."""


class ReviewSettings(FrozenModel):
    """Rule by which a client decides whether a person reviews an answer.

    The confidence of an answer is the product of the probabilities of its tokens, including the token that ends the
    turn, in greedy decoding. Answers whose confidence is greater than `threshold` need no review.
    """

    threshold: float
    required_precision: float
    guarantee: float
    """Probability, over the draw of the calibration rows, that the precision above the threshold is at least
    `required_precision`."""

    def needs_review(self, confidence: float) -> bool:
        return confidence <= self.threshold


class InferenceSettings(FrozenModel):
    """Inference settings of a release. They do not depend on the machine."""

    system: dict[str, str]
    """System prompt of each task, by name of the task; empty if the task has none. Tasks with plain texts are left
    out."""
    template: dict[str, str] = {}
    """Template of the last turn, by name of the task. Tasks without a template are left out."""
    decoding: Decoding
    dtype: Literal["float32", "bfloat16"]
    """Precision of the weights during evaluation, as a torch dtype name. transformers merges an adapter into the base
    model in float32 first, while vLLM keeps it separate. `evaluation.engine` in params.yaml states which of the two was
    used."""
    review: ReviewSettings | None = None
    """Rule for human review; left out if none was chosen."""

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `template` and `review` if unused, so that the file is the same as that of earlier versions."""
        stated: dict[str, Any] = handler(self)
        return {name: value for name, value in stated.items() if name not in ("template", "review") or value}


def settings_of_run(layout: Layout, prompts: Prompts, evaluation: Evaluation) -> InferenceSettings:
    """Return the inference settings with which stage `predict` generated the candidate's answers.

    Raises:
        InputError: Stage `predict` has not run for the candidate.
    """
    path = layout.artefacts("predict/candidate") / "result.json"
    stop = files.read_json(path).get("stop_token_ids") if path.is_file() else None
    if stop is None:
        raise InputError(f"package: {path} does not say which tokens end a turn; run the stage predict@candidate again")
    return InferenceSettings(
        system={task: prompt.system for task, prompt in prompts.items() if prompt.text_window is None},
        template={task: prompt.template for task, prompt in prompts.items() if prompt.template is not None},
        decoding=Decoding(max_new_tokens=evaluation.max_new_tokens, eos_token_id=stop),
        dtype=TORCH_DTYPES[evaluation.precision],
        review=None if evaluation.required_precision is None else _chosen_review(layout),
    )


def _chosen_review(layout: Layout) -> ReviewSettings:
    path = layout.artefacts("evaluate") / "metrics.json"
    chosen = files.read_json(path).get("review") if path.is_file() else None
    if chosen is None:
        raise InputError(f"package: {path} has no threshold for review; run the stage evaluate again")
    return ReviewSettings.model_validate({name: chosen["rule"][name] for name in ReviewSettings.model_fields})


def read_settings(payload: Path) -> InferenceSettings:
    path = payload / FILE_NAME
    try:
        return parse_settings(path.read_bytes(), path)
    except OSError as error:
        raise _unreadable(path, error) from None


def parse_settings(data: bytes, path: Path) -> InferenceSettings:
    """Parse inference settings that were read from `path`.

    Raises:
        Refused: The bytes are no inference settings.
    """
    try:
        return InferenceSettings.model_validate_json(data)
    except ValidationError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError | ValidationError) -> Refused:
    return Refused(
        f"{path}: the release does not say how it is asked ({str(error).splitlines()[0]}); "
        "promote one that this version of Hallmark packaged"
    )
