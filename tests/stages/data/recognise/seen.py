"""What the recognisers see in a text, for tests."""

from tasks.stages.data.protect.recognisers import engine


def seen(text: str, language_model: bool = False) -> list[tuple[str, str]]:
    """Each span's text and kind."""
    (spans,) = engine.find_spans([text], language_model)
    assert spans is not None
    return [(text[span.start : span.end], span.kind) for span in spans]


def kinds(text: str) -> set[str]:
    return {kind for _, kind in seen(text)}
