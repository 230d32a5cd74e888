"""payload/asking.json: how a release is asked, so that it answers as it did when it was evaluated."""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompts

NAME = "asking.json"
DTYPES: dict[str, Literal["float32", "bfloat16"]] = {"fp32": "float32", "bf16": "bfloat16"}


class Decoding(Frozen):
    """In the words of transformers' GenerationConfig: greedy, to one of the tokens that end a turn."""

    do_sample: Literal[False] = False
    max_new_tokens: int
    eos_token_id: list[int]
    """Ids of the tokenizer; none of them belongs to the answer."""


class Asking(Frozen):
    """Holds nothing that differs between machines."""

    system: dict[str, str]
    """By task, the system turn that comes before the user's; empty for none. A task of plain texts asks nothing."""
    decoding: Decoding
    dtype: Literal["float32", "bfloat16"]
    """torch's name of the precision of the weights that answered. transformers merges an adapter in float32 before;
    vLLM keeps it apart, and evaluation.engine in params.yaml says which of them answered."""


def describe(layout: Layout, prompts: Prompts, evaluation: Evaluation) -> Asking:
    """How stage `predict` asked the candidate. Raises InputError where it has not."""
    path = layout.stage("predict/candidate") / "result.json"
    stop = files.read_json(path).get("stop_token_ids") if path.is_file() else None
    if stop is None:
        raise InputError(f"package: {path} does not say which tokens end a turn; run the stage predict@candidate again")
    return Asking(
        system={task: prompt.system for task, prompt in prompts.items() if prompt.text_window is None},
        decoding=Decoding(max_new_tokens=evaluation.max_new_tokens, eos_token_id=stop),
        dtype=DTYPES[evaluation.precision],
    )


def read(payload: Path) -> Asking:
    """Of a release that was verified. Raises Refused where it holds none, as one made by an earlier version."""
    path = payload / NAME
    try:
        return Asking.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Refused(
            f"{path}: the release does not say how it is asked ({str(error).splitlines()[0]}); "
            "promote one that this version of Hallmark packaged"
        ) from None
