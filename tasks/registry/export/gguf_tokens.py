"""Tokenizer in a GGUF file: tokens, merges, and the rule by which llama.cpp splits text before it merges."""

from typing import Any

from tasks.core.errors import InputError
from tasks.core.json_text import parse
from tasks.registry.export.gguf_weights import MERGED_ELSEWHERE

LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {LETTERS + r"\p{N}{1,3}" + REST: "llama-bpe", LETTERS + r"\p{N}" + REST: "qwen2"}
"""llama.cpp's name of a rule, by the regular expression that tokenizer.json has for it."""
JOINS_WHOLE_WORDS = ("llama-bpe",)
"""Rules with which llama.cpp takes a word that is a token as it is, whatever its merges (`ignore_merges`)."""

NORMALIZERS = (None, {"type": "NFC"})
"""Normalizers that llama.cpp can do without. It reads a text as it is, which is in NFC if a keyboard wrote it."""
EMPTY_MERGE = "! !"
"""Only merge of a tokenizer without merges. llama.cpp wants a list, and gguf writes no empty one. llama.cpp splits `!!`
into bytes again, because it is no token."""


def add_tokens(writer: Any, tokenizer: Any, size: int, stops: list[int]) -> None:
    """Add the tokenizer and its chat template.

    Args:
        writer: gguf's writer.
        tokenizer: Tokenizer of the release.
        size: Number of tokens that the model has weights for.
        stops: Tokens that end an answer.

    Raises:
        InputError: llama.cpp would split texts into other tokens.
    """
    told = parse(tokenizer.backend_tokenizer.to_str())
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in told["model"].get("merges", [])]
    rule = _splitting_rule(told)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(rule)
    tokens, kinds = _tokens_and_kinds(tokenizer, told, size)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges or [EMPTY_MERGE])
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
        (writer.add_eot_token_id, _end_of_turn(tokenizer, stops)),
    ):
        if number is not None:
            add(number)
    writer.add_add_bos_token(tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def _tokens_and_kinds(tokenizer: Any, told: dict[str, Any], size: int) -> tuple[list[str], list[int]]:
    from gguf import TokenType

    tokens, kinds = [f"[PAD{number}]" for number in range(size)], [int(TokenType.UNUSED)] * size
    for text, number in told["model"]["vocab"].items():
        if number < size:
            tokens[number], kinds[number] = text, int(TokenType.NORMAL)
    for added in told["added_tokens"]:
        if added["id"] < size:
            kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
            tokens[added["id"]], kinds[added["id"]] = added["content"], int(kind)
    return tokens, kinds


def _end_of_turn(tokenizer: Any, stops: list[int]) -> int | None:
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return next((number for number in stops if number in special and number != tokenizer.eos_token_id), None)


def _splitting_rule(told: dict[str, Any]) -> str:
    model, before = told["model"], told["pre_tokenizer"] or {}
    steps = before.get("pretokenizers", [before])
    known = _known_rule(steps, bool(model.get("merges")))
    is_bytes = steps[-1].get("type") == "ByteLevel" and not steps[-1].get("add_prefix_space")
    is_plain = model["type"] == "BPE" and not model.get("byte_fallback") and told["normalizer"] in NORMALIZERS
    joins = bool(model.get("ignore_merges")) == (known in JOINS_WHOLE_WORDS)
    if known is None or not (is_bytes and is_plain and joins):
        raise InputError(
            f"its tokenizer splits texts in a way that has no name here ({model['type']}, "
            f"{', '.join(str(step.get('type')) for step in steps)}), and llama.cpp would read other tokens; "
            f"{MERGED_ELSEWHERE}"
        )
    return known


def _known_rule(steps: list[dict[str, Any]], has_merges: bool) -> str | None:
    if not has_merges:  # each byte is a token by itself, however the text is split
        return "gpt-2"
    match steps:
        case [{"type": "ByteLevel", "use_regex": True}]:
            return "gpt-2"
        case [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "use_regex": True}]:
            return "smollm"
        case [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated"}, {"use_regex": False}]:
            return SPLITS.get(regex)
    return None
