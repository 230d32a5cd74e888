"""vLLM in place of our own decoding: the same prompts as tokens, the same end of a turn, greedy, on a GPU.

An adapter stays apart from the weights, and rounds at other places than a merged one. Written after vLLM 0.33, and not
run here, since there was no GPU: the names of what it is handed were compared with that version by hand.
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
from tasks.stages.evaluate.decode import Generated, Limits, Tokens
from tasks.stages.evaluate.models import Located

SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # in this process: it ends with it, and schedules the same every time
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
}
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def require(located: Located, has_texts: bool) -> None:
    """Raises InputError where vLLM cannot serve this model or do what is asked."""
    why = None
    if has_texts:
        why = "vLLM does not foretell plain texts here, and the held-out rows have some"
    elif located.adapter:
        config = read_json(located.adapter / "adapter_config.json")
        why = vllm.why_not(config["r"], bool(config.get("use_dora")))
    if why:
        raise _refused(why)


def require_installed(settings: Evaluation) -> None:
    """Raises InputError where it is asked for and is not."""
    if settings.engine == "vllm" and find_spec("vllm") is None:
        raise _refused("vLLM is not installed here, and docs/guides/cluster.md says which versions go together")


def _refused(why: str) -> InputError:
    return InputError(f"evaluation.engine vllm: {why}; or set evaluation.engine to transformers")


def model_arguments(located: Located, settings: Evaluation, longest: int) -> dict[str, Any]:
    """Of vllm.LLM."""
    adapter: dict[str, Any] = {}
    if located.adapter:
        rank = read_json(located.adapter / "adapter_config.json")["r"]
        adapter = {"enable_lora": True, "max_loras": 1, "max_lora_rank": vllm.room_for(rank)}
    return {
        "model": str(located.weights),
        "skip_tokenizer_init": True,  # tokens go in, and tokens come out
        "generation_config": "vllm",  # none of the model's own settings of sampling
        "dtype": DTYPES[settings.precision],
        "max_model_len": longest,
        "max_num_seqs": settings.batch_size,
        "seed": settings.seed,
        **adapter,
    }


def sampling_arguments(limits: Limits) -> dict[str, Any]:
    """Of vllm.SamplingParams: greedy, to one of our stop tokens and to no other."""
    return {
        "temperature": 0.0,
        "max_tokens": limits.max_new_tokens,
        "stop_token_ids": sorted(limits.stop),
        "ignore_eos": True,
        "detokenize": False,
    }


class VllmEngine:
    def __init__(self, located: Located, settings: Evaluation, limits: Limits, longest: int) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest

        self._stop = limits.stop
        self._sampling = SamplingParams(**sampling_arguments(limits))
        self._adapter = LoRARequest("adapter", 1, str(located.adapter)) if located.adapter else None
        self._llm = LLM(**model_arguments(located, settings, longest))

    def answer(self, prompts: Sequence[Tokens]) -> list[Generated]:
        told = self._llm.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            self._sampling,
            use_tqdm=False,
            lora_request=self._adapter,
        )
        return [self._generated(list(each.outputs[0].token_ids)) for each in told]

    def _generated(self, tokens: Tokens) -> Generated:
        stopped = bool(tokens) and tokens[-1] in self._stop
        return Generated(tokens[:-1] if stopped else tokens, stopped)

    def fresh(self) -> Self:
        """vLLM keeps what prompts begin with; this forgets it."""
        self._llm.reset_prefix_cache()
        return self
