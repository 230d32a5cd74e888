"""Response bodies of a chat completion, with the fields that clients of OpenAI read.

The field `hallmark` adds the release that answered, the confidence of the answer, and whether a person has to review
it.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.serve.engine import Finished
from tasks.serve.loaded_release import LoadedRelease
from tasks.stages.evaluate.judged_rows import answer_confidence

ARM = "champion"
"""Value of the header `hallmark-arm`: which of several releases answered. There is only the champion so far."""


@dataclass
class Completion:
    """One answer, while it is generated."""

    release: LoadedRelease
    model: str
    """Name that the client gave."""
    prompt_tokens: int
    tokens: list[int] = field(default_factory=list)
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    end: Finished | None = None
    _sent: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        admitted = self.release.admitted
        return {
            "hallmark-release": admitted.label,
            "hallmark-sequence": str(admitted.sequence),
            "hallmark-arm": ARM,
            "x-request-id": self.id,
        }

    @property
    def text(self) -> str:
        return str(self.release.tokenizer.decode(self.tokens))

    @property
    def answer_tokens(self) -> int:
        return len(self.tokens) + (self.end is not None and self.end.reason == "stop")

    @property
    def confidence(self) -> float | None:
        return None if self.end is None else answer_confidence(self.end.log_probability)

    @property
    def needs_review(self) -> bool | None:
        """Whether the release's rule asks for a person's review; None without such a rule or before the end."""
        rule = self.release.admitted.inference_settings.review
        return None if rule is None or self.confidence is None else rule.needs_review(self.confidence)

    def document(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish_reason}
        return self._common("chat.completion", [choice]) | {"usage": self._usage(), "hallmark": self._extension()}

    def first_chunk(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": ""})

    def next_chunk(self) -> dict[str, Any] | None:
        """Return a chunk with the text that is new; None if there is none yet.

        A character can need several tokens. Until they are all there, it decodes to U+FFFD. Some tokenizers also change
        the space before a token that follows, so a text that is no longer continued waits for the end.
        """
        text = self.text
        if self.end is None and (text.endswith("\ufffd") or not text.startswith(self._sent)):
            return None
        new, self._sent = text[len(self._sent) :], text
        return self._chunk({"content": new}) if new else None

    def last_chunk(self) -> dict[str, Any]:
        return self._chunk({}) | {"hallmark": self._extension()}

    def usage_chunk(self) -> dict[str, Any]:
        return self._common("chat.completion.chunk", []) | {"usage": self._usage()}

    @property
    def _finish_reason(self) -> str | None:
        return self.end.reason if self.end else None

    def _chunk(self, delta: dict[str, Any]) -> dict[str, Any]:
        reason = None if delta else self._finish_reason
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._common("chat.completion.chunk", [choice])

    def _common(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.release.admitted.release_sha256,
            "choices": choices,
        }

    def _usage(self) -> dict[str, int]:
        answer = self.answer_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": answer,
            "total_tokens": self.prompt_tokens + answer,
        }

    def _extension(self) -> dict[str, Any]:
        admitted = self.release.admitted
        return {
            "release": admitted.label,
            "sequence": admitted.sequence,
            "confidence": self.confidence,
            "needs_review": self.needs_review,
        }
