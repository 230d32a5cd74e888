"""A GGUF file has the weights and the tokenizer of the model that it was made from, or is refused."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from tasks.core.errors import InputError
from tasks.registry.export import gguf_file, gguf_tokens, gguf_weights, llama_cpp, merged
from tests.tiny_model import CHAT_TEMPLATE, END, PAD, START, byte_tokenizer

SHAPE = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256,
}  # fmt: skip
TEXTS = (
    "It's 2026, I can't wait 12345 days!\n\n  Zwei  Wörter\tund 7,5 %", "cards\r\n\n loans 'S 'll IT'LL", " ",
    "naïve 汉字 🙂 x",
    "<|im_start|>user\nhello<|im_end|>\n",
)  # fmt: skip
SPLIT = {rule: regex for regex, rule in gguf_tokens.SPLITS.items()}
RULES: dict[str, Any] = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "llama-bpe": lambda: split_by(SPLIT["llama-bpe"]),
    "qwen2": lambda: split_by(SPLIT["qwen2"]),
}


def split_by(regex: str) -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def trained_tokenizer(rule: str) -> PreTrainedTokenizerFast:
    """A tokenizer with merges that the rule can forbid."""
    bpe = Tokenizer(models.BPE(ignore_merges=rule == "llama-bpe"))
    bpe.pre_tokenizer, bpe.decoder = RULES[rule](), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in (PAD, START, END)],
        show_progress=False,
    )
    bpe.train_from_iterator([*TEXTS[:4], *(f"{number} cards, {number * 37}  loans" for number in range(300))], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=START, eos_token=END, pad_token=PAD)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def written(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tokenizer: Any = None,
    kind: str = "llama",
    dtype: str = "float32",
    **config: Any,
) -> tuple[Any, Any]:
    """Write a GGUF file of a model with random weights to `folder`, and return model and source."""
    tokenizer = tokenizer or byte_tokenizer()
    made = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **SHAPE, **config)
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(made, dtype=getattr(torch, dtype)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    source = SimpleNamespace(
        admitted=SimpleNamespace(tokenizer=folder / "model", model=folder / "model", label="x-1"),
        base=None,
        manifest=SimpleNamespace(base_model_licence="MIT"),
        settings=SimpleNamespace(dtype=dtype, decoding=SimpleNamespace(eos_token_id=[tokenizer.eos_token_id])),
    )
    monkeypatch.setattr(merged, "load_release", lambda _: model)
    gguf_file.write_gguf(source, folder)
    return model, source


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True, "rope_theta": 500.0}),
        ("llama", {"head_dim": 24}),
        ("mistral", {"sliding_window": None}),
        ("qwen2", {}),
        ("qwen3", {"head_dim": 128}),
    ],
)
def test_transformers_reads_the_same_logits_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, config: dict[str, Any], dtype: str
) -> None:
    model, source = written(tmp_path, monkeypatch, kind=kind, dtype=dtype, **config)
    tokens = torch.arange(3, 40)[None]
    with torch.no_grad():
        found, wanted = gguf_file.load_gguf(source, tmp_path)(tokens).logits, model(tokens).logits
    assert torch.equal(found, wanted) and wanted.std() > 0.1


@pytest.mark.parametrize("rule", RULES)
def test_llama_cpp_reads_the_same_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    pytest.importorskip(llama_cpp.PACKAGE, reason="extra llamacpp")
    tokenizer = trained_tokenizer(rule)
    written(tmp_path, monkeypatch, tokenizer)
    with llama_cpp.serving(tmp_path / gguf_file.FILE_NAME, 256, 1) as client:
        for text in TEXTS:
            wish = {"content": text, "add_special": True, "parse_special": True}
            found = client.post("/tokenize", json=wish).raise_for_status().json()["tokens"]
            assert found == tokenizer(text)["input_ids"], text
        assert httpx.post(f"{client.base_url}/tokenize", json={"content": "x"}).status_code == 401


def test_each_rule_is_told_from_the_others() -> None:
    for rule in RULES:
        told = json.loads(trained_tokenizer(rule).backend_tokenizer.to_str())
        assert gguf_tokens._splitting_rule(told) == rule
        for change in (
            {"model": told["model"] | {"ignore_merges": rule != "llama-bpe"}},
            {"model": told["model"] | {"byte_fallback": True}},
            {"normalizer": {"type": "Lowercase"}},
            {"pre_tokenizer": {"type": "Metaspace"}},
        ):
            with pytest.raises(InputError, match="convert_hf_to_gguf"):
                gguf_tokens._splitting_rule(told | change)


@pytest.mark.parametrize(
    ("kind", "config", "why"),
    [
        ("gpt2", {}, "architecture 'gpt2'"),
        ("llama", {"attention_bias": True}, "attention_bias"),
        ("mistral", {"sliding_window": 64}, "a sliding window"),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "rope_type 'linear'"),
    ],
)
def test_a_model_with_parts_that_are_not_written_is_refused(kind: str, config: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=f"a model with {why} is not written as GGUF here"):
        gguf_weights.require_supported(AutoConfig.for_model(kind, **config))
