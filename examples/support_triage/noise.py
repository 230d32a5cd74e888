"""Flaws of real messages: typing errors, case, missing umlauts and emoji, and the traces of mail and web forms."""

from random import Random

NEIGHBOURS = {"a": "s", "e": "r", "i": "o", "n": "m", "o": "p", "r": "t", "s": "d", "t": "z", "u": "i", "l": "k"}
UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
EMOJI = ("🙏", "😡", "🙄", "😊", "🤔", ":)", ":(", "!!!", "...")
CARE_SHARES = {"careful": 0.5, "hasty": 0.35, "sloppy": 0.15}
"""Share of the writers, by the care with which they type."""


def add_typing_noise(rng: Random, text: str, language: str) -> str:
    """Return the text as a writer with random care types it. Digits stay as they are, since they may matter."""
    (care,) = rng.choices(list(CARE_SHARES), list(CARE_SHARES.values()))
    if care == "careful":
        return text
    text = _typos(rng, text, share=0.008 if care == "hasty" else 0.025)
    if language == "de" and rng.random() < 0.3:
        text = "".join(UMLAUTS.get(letter, letter) for letter in text)
    return _style(rng, text, care)


def _style(rng: Random, text: str, care: str) -> str:
    chance = rng.random()
    if chance < 0.3:
        text = text.lower()
    elif chance < 0.33:
        text = text.upper()
    elif chance < 0.5:
        text = text.replace("'", "").rstrip(".")
    elif chance < 0.6:
        text = text.replace(". ", rng.choice([".  ", " . ", ".\n", " - "]))
    return text + " " + rng.choice(EMOJI) if care == "sloppy" and rng.random() < 0.4 else text


def _typos(rng: Random, text: str, share: float) -> str:
    letters = list(text)
    for i in range(1, len(letters) - 1):
        if not letters[i].isalpha() or not letters[i - 1].isalpha() or rng.random() >= share:
            continue
        kind = rng.randrange(4)
        if kind == 0 and letters[i + 1].isalpha():
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
        elif kind == 1:
            letters[i] = ""
        elif kind == 2:
            letters[i] *= 2
        else:
            letters[i] = NEIGHBOURS.get(letters[i], letters[i])
    return "".join(letters)


def add_html_entities(rng: Random, text: str) -> str:
    """Replace quotes, euro signs and spaces by HTML entities in some texts, as the web form does."""
    if rng.random() < 0.06:
        text = text.replace('"', "&quot;").replace("€", "&euro;").replace("'", "&#39;")
        text = text.replace(" ", "&nbsp;", 1)
    return text + rng.choice(["", "", "", " ", "\n", "  \n"]) if rng.random() < 0.15 else text


def quote_lines(rng: Random, text: str) -> str:
    """Quote all lines of some texts, as a reply does."""
    return "\n".join(f"> {line}" for line in text.split("\n")) if rng.random() < 0.05 else text


def encodable(text: str, encoding: str) -> str:
    """Return the text without the characters that the encoding does not have, such as emoji."""
    return text.encode(encoding, errors="ignore").decode(encoding)
