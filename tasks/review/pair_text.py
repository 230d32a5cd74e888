"""Text of a pair as annotators see it: the prompt, answer A and answer B.

Each line of the prompt and of an answer begins with a mark of its own, so that no answer can look like the end of one
and the begin of another. Neither the expected answer nor any verdict is shown: experts would repeat the judges.
"""

from tasks.stages.data.text import is_blank, normalise_text

FIRST, SECOND, BOTH, NEITHER = LABELS = ("A", "B", "both", "neither")
NO_ANSWER = "(no answer)"


def format_pair(prompt: str, first: str, second: str) -> str:
    """Return the text of a pair.

    Args:
        prompt: Text that both models were asked.
        first: Answer A.
        second: Answer B.
    """
    parts = (_marked("?", prompt), _marked(FIRST, first), _marked(SECOND, second))
    return normalise_text("\n\n".join(parts))


def _marked(mark: str, text: str) -> str:
    lines = [NO_ANSWER] if is_blank(text) else normalise_text(text).splitlines()
    return "\n".join(f"{mark} | {line}" for line in lines)
