"""What vLLM is handed, and what is refused before a GPU is taken. vLLM itself is not run: there is no GPU here.

`KNOWN` are the names that vLLM 0.33.0 has: of LLM.__init__ and EngineArgs, SamplingParams, LoRARequest.
"""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.core.errors import InputError
from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params import vllm
from tasks.core.params.params import Params
from tasks.stages.evaluate import models, predict
from tasks.stages.evaluate.decode import GeneratedAnswer, StopConditions
from tasks.stages.evaluate.inference import vllm_engine
from tasks.stages.evaluate.models import ModelFolders
from tests.stages.evaluate import house
from tests.stages.evaluate.test_predict import give_adapter
from tests.stages.evaluate.test_reading import document

KNOWN = {
    "LLM": {
        "model", "skip_tokenizer_init", "generation_config", "dtype", "max_model_len", "max_num_seqs", "seed",
        "enable_lora", "max_loras", "max_lora_rank",
    },
    "SamplingParams": {"temperature", "max_tokens", "stop_token_ids", "ignore_eos", "detokenize"},
}  # fmt: skip
LIMITS = StopConditions(frozenset({9, 2}), 5)


def gpu(**evaluation: Any) -> Params:
    return house.params(engine="vllm", device="gpu", **evaluation)


def candidate(layout: Layout) -> ModelFolders:
    give_adapter(layout)
    located = models.locate_model(layout, "candidate")
    assert located
    return located


class Vllm:
    """In place of the library: what it is handed, and answers of three kinds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.handed: dict[str, Any] = {}
        top, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
        vars(top).update(LLM=lambda **given: self.take("LLM", given) or self)
        vars(top).update(SamplingParams=lambda **given: self.take("SamplingParams", given) or "greedy")
        vars(request).update(LoRARequest=lambda name, number, path: (name, number, path))
        for module in (top, lora, request):
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def take(self, name: str, given: dict[str, Any]) -> None:
        assert given.keys() <= KNOWN[name]
        self.handed[name] = given

    def generate(self, prompts: Any, sampling: Any, *, use_tqdm: bool, lora_request: Any) -> list[Any]:
        self.handed["generate"] = (prompts, sampling, use_tqdm, lora_request)
        said = ([7, 8, 9], [7, 8, 7, 8, 7], [2])
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(tokens))]) for tokens in said[: len(prompts)]]

    def reset_prefix_cache(self) -> None:
        self.handed["forgot"] = True


def test_it_is_handed_tokens_our_stop_tokens_and_the_adapter(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    located, stand_in = candidate(layout), Vllm(monkeypatch)
    for name in vllm_engine.VLLM_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    engine = vllm_engine.VllmEngine(located, gpu(precision="bf16").evaluation, LIMITS, 40)
    told = engine.answer([[1, 3], [1, 4], [1, 5]])
    assert told == [GeneratedAnswer([7, 8], True), GeneratedAnswer([7, 8, 7, 8, 7], False), GeneratedAnswer([], True)]
    made = stand_in.handed["LLM"]
    assert (made["model"], made["dtype"], made["max_model_len"]) == (str(located.base_folder), "bfloat16", 40)
    assert (made["enable_lora"], made["max_lora_rank"], made["max_num_seqs"]) == (True, 8, 4)
    sampling = stand_in.handed["SamplingParams"]
    assert (sampling["temperature"], sampling["max_tokens"], sampling["ignore_eos"]) == (0.0, 5, True)
    assert sampling["stop_token_ids"] == [2, 9]
    prompts, greedy, bar, adapter = stand_in.handed["generate"]
    assert prompts == [{"prompt_token_ids": tokens} for tokens in ([1, 3], [1, 4], [1, 5])]
    assert (greedy, bar, adapter) == ("greedy", False, ("adapter", 1, str(located.adapter_folder)))
    assert engine.without_prefix() is engine and stand_in.handed["forgot"]


def test_a_whole_model_has_no_adapter(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    located = models.locate_model(layout, "base")
    assert located
    stand_in = Vllm(monkeypatch)
    vllm_engine.VllmEngine(located, gpu().evaluation, LIMITS, 40).answer([[1]])
    assert "enable_lora" not in stand_in.handed["LLM"] and stand_in.handed["generate"][-1] is None


@pytest.mark.parametrize(
    ("installed", "changes", "texts", "words"),
    [
        (False, {}, False, "vLLM is not installed here, and docs"),
        (True, {"use_dora": True}, False, "vLLM serves no DoRA"),
        (True, {"r": 600}, False, "rank 512 at most, and this one has 600"),
        (True, {}, True, "does not foretell plain texts"),
        (True, {}, False, ""),
    ],
    ids=["not installed", "DoRA", "rank", "texts", "can"],
)
def test_what_it_cannot_do_is_told_before_anything_is_loaded(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, installed: bool, changes: dict[str, Any], texts: bool, words: str
) -> None:
    located = candidate(layout)
    assert located.adapter_folder
    write_json(
        located.adapter_folder / "adapter_config.json",
        read_json(located.adapter_folder / "adapter_config.json") | changes,
    )
    house.write_split(layout, [house.row(0), *([document(1)] if texts else [])])
    monkeypatch.setattr(vllm_engine, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(predict, "start_executor", lambda *_: pytest.fail("went on"))
    with pytest.raises(InputError if words else pytest.fail.Exception, match=words or "went on"):
        predict.run(gpu(), layout, "candidate")


def test_parameters_that_it_cannot_serve_are_refused_as_they_are_read() -> None:
    with pytest.raises(ValidationError, match="engine vllm answers on GPUs alone here: set device to gpu"):
        house.params(engine="vllm")
    made = gpu().model_dump()
    for changes, words in (({"lora_variant": "dora"}, "serves no DoRA"), ({"lora_rank": 513}, "rank 512 at most")):
        with pytest.raises(ValidationError, match=words):
            Params.model_validate({**made, "training": {**made["training"], **changes}})
    whole = {"method": "full", "lora_rank": None, "lora_alpha": None}
    Params.model_validate({**made, "training": {**made["training"], **whole}})


def test_a_rank_has_the_least_room_that_it_fits() -> None:
    assert [vllm.smallest_max_lora_rank(rank) for rank in (1, 8, 9, 256, 257, 512)] == [8, 8, 16, 256, 320, 512]


def test_the_record_says_which_engine_answered(layout: Layout) -> None:
    predict.run(house.params(), layout, "base")
    told = read_json(layout.artefacts("predict/base") / "result.json")
    assert told["engine"] == "transformers" and told["facts"]["rows"]["note"].endswith("asked, with transformers")
