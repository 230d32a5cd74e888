"""Special tokens of a tokenizer, such as `<|im_end|>`, in the text of records.

A tokenizer turns such text into control tokens. A message that contains them could end its turn and begin another one,
and a model that is trained on it could learn to do the same. Plain texts are tokenised without special tokens
(`tasks.core.records.texts`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tasks.core.params.prompts import Prompt
from tasks.core.records import texts
from tasks.core.records.prompts import split_context_and_target


def special_token_texts(tokenizer: Any) -> set[str]:
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return {*added, *tokenizer.all_special_tokens} - {""}


class SpecialTokens:
    def __init__(self, tokenizer: Any) -> None:
        longest_first = sorted(special_token_texts(tokenizer), key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def occur_in(self, row: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> bool:
        """Return whether a message or the target of a record contains a special token; False for plain texts."""
        if texts.max_window_tokens(row, prompts) is not None:
            return False
        turns, target = split_context_and_target(row, prompts)
        return bool(self.find([*(turn["content"] for turn in turns), target]))

    def find(self, words: Iterable[str]) -> str:
        """Return the first special token in some texts; empty if there is none."""
        return next((match.group() for text in words if (match := self._any.search(text))), "")
