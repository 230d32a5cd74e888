"""vLLM as an alternative to Hallmark's own greedy decoding, with the same prompts and stop tokens, for GPUs.

vLLM does not merge an adapter into the weights. Because of rounding, its answers can differ from those of a merged
model. This module was written for vLLM 0.33 and has never been run, because no GPU was available. Argument names were
checked by hand against that version.

https://docs.vllm.ai/en/stable/api/vllm/
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Self

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.params import vllm
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.decode import GeneratedAnswer, StopConditions, Tokens
from tasks.stages.evaluate.models import ModelFolders

VLLM_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # run in this process: vLLM ends with it, and scheduling is deterministic
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
}
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def require_supported(folders: ModelFolders, has_texts: bool) -> None:
    """Verify that vLLM can serve this model and task.

    Raises:
        InputError: vLLM does not support the adapter, or some held-out rows are plain texts.
    """
    why = None
    if has_texts:
        why = "vLLM does not foretell plain texts here, and the held-out rows have some"
    elif folders.adapter_folder:
        config = read_json(folders.adapter_folder / "adapter_config.json")
        rank = config["r"] if config["peft_type"] == "LORA" else None
        why = vllm.unsupported_adapter_reason(rank, bool(config.get("use_dora")))
    if why:
        raise _engine_error(why)


def require_installed(settings: Evaluation) -> None:
    """Verify that vLLM is installed if `evaluation.engine` is `vllm`.

    Raises:
        InputError: vLLM is not installed.
    """
    if settings.engine == "vllm" and find_spec("vllm") is None:
        raise _engine_error("vLLM is not installed here, and docs/guides/cluster.md says which versions go together")


def _engine_error(why: str) -> InputError:
    return InputError(f"evaluation.engine vllm: {why}; or set evaluation.engine to transformers")


def model_arguments(folders: ModelFolders, settings: Evaluation, max_tokens: int) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM`. `max_tokens` is the maximum number of tokens in a prompt plus its answer."""
    adapter: dict[str, Any] = {}
    if folders.adapter_folder:
        rank = read_json(folders.adapter_folder / "adapter_config.json")["r"]
        adapter = {"enable_lora": True, "max_loras": 1, "max_lora_rank": vllm.smallest_max_lora_rank(rank)}
    return {
        "model": str(folders.weights_folder),
        "skip_tokenizer_init": True,  # input and output are tokens
        "generation_config": "vllm",  # ignore the model's own sampling settings
        "dtype": DTYPES[settings.precision],
        "max_model_len": max_tokens,
        "max_num_seqs": settings.batch_size,
        "seed": settings.seed,
        **adapter,
    }


def sampling_arguments(limits: StopConditions) -> dict[str, Any]:
    """Return the arguments of `vllm.SamplingParams` for greedy decoding that ends only at the given stop tokens."""
    return {
        "temperature": 0.0,
        "max_tokens": limits.max_new_tokens,
        "stop_token_ids": sorted(limits.stop_tokens),
        "ignore_eos": True,
        "detokenize": False,
    }


class VllmEngine:
    def __init__(self, folders: ModelFolders, settings: Evaluation, limits: StopConditions, max_tokens: int) -> None:
        for name, value in VLLM_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest

        self._stop = limits.stop_tokens
        self._sampling = SamplingParams(**sampling_arguments(limits))
        self._adapter = LoRARequest("adapter", 1, str(folders.adapter_folder)) if folders.adapter_folder else None
        self._llm = LLM(**model_arguments(folders, settings, max_tokens))

    def answer(self, prompts: Sequence[Tokens]) -> list[GeneratedAnswer]:
        outputs = self._llm.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            self._sampling,
            use_tqdm=False,
            lora_request=self._adapter,
        )
        return [self._to_generated_answer(list(each.outputs[0].token_ids)) for each in outputs]

    def _to_generated_answer(self, tokens: Tokens) -> GeneratedAnswer:
        stopped = bool(tokens) and tokens[-1] in self._stop
        return GeneratedAnswer(tokens[:-1] if stopped else tokens, stopped)

    def without_prefix(self) -> Self:
        """Empty vLLM's cache of prompt prefixes, and return this engine."""
        self._llm.reset_prefix_cache()
        return self
