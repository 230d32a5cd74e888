"""Form of a citation: literal text with placeholders, such as `[DOC-{digits} §{digits}]`.

A form is not a regular expression, because the time to match an arbitrary expression has no bound: `(a+)+b` takes
minutes on thirty characters. The expression made of a form needs time proportional to the text: its repetitions are
bounded and possessive, so that nothing is tried twice.
"""

import re
from functools import lru_cache

PLACEHOLDERS = {"digits": "[0-9]", "letters": r"[^\W\d_]", "word": r"[^\W_]"}
"""Class of the characters of a placeholder, by name: digits, letters, or both."""
MAX_PLACEHOLDER_CHARS = 32
MAX_PLACEHOLDERS = 8
MAX_FORM_CHARS = 200
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@lru_cache(maxsize=64)
def compile_form(form: str) -> re.Pattern[str]:
    """Return the regular expression of a citation form.

    Raises:
        ValueError: A placeholder is unknown, or the character after it belongs to its class, so that no text would
            match. There is no literal text, or the form has too many placeholders.
    """
    literals, names = _PLACEHOLDER.split(form)[::2], _PLACEHOLDER.findall(form)
    if unknown := sorted(set(names) - PLACEHOLDERS.keys()):
        raise ValueError(f"there is no placeholder {unknown[0]!r}; expected {', '.join(PLACEHOLDERS)} in braces")
    if len(names) > MAX_PLACEHOLDERS:
        raise ValueError(f"expected at most {MAX_PLACEHOLDERS} placeholders, got {len(names)}")
    if any(char in text for text in literals for char in "{}"):
        raise ValueError("expected braces around placeholders only, got a single one")
    if not literals[0].strip():
        raise ValueError("expected a form that begins with literal text, such as [ or DOC-")
    for number, (name, after) in enumerate(zip(names, literals[1:], strict=True), start=1):
        if not after and number < len(names):
            raise ValueError(f"expected literal text between {{{name}}} and {{{names[number]}}}")
        if re.match(PLACEHOLDERS[name], after):
            raise ValueError(f"what follows {{{name}}} must not be one of its own characters: nothing could match")
    parts = [f"{PLACEHOLDERS[name]}{{1,{MAX_PLACEHOLDER_CHARS}}}+" for name in names]
    return re.compile("".join(map("".join, zip(map(re.escape, literals), [*parts, ""], strict=True))))
