"""Forms of an export, and the form that suits a release on a hub."""

from typing import Literal

from tasks.core.errors import InputError
from tasks.registry.export.source import ExportSource

Form = Literal["adapter", "merged", "gguf"]
Wish = Literal["adapter", "merged", "gguf", "hub"]
"""Form as a person asks for it. For `hub`, the release decides between adapter and merged model."""
UNTRIED: dict[Form, list[str]] = {"adapter": ["vLLM"], "merged": ["vLLM"], "gguf": []}
"""Tools that are said to read a form, and that no export tries."""


def choose_form(wish: Wish, source: ExportSource) -> Form:
    """Return the form of an export: an adapter or a whole model.

    For a hub, it is an adapter only if the base model is on a hub, too.

    Raises:
        InputError: An adapter was requested, but the release is a whole model.
    """
    if wish == "hub":
        return "adapter" if source.base and source.params.base_model.hub else "merged"
    if wish == "adapter" and source.base is None:
        raise InputError(
            f"{source.admitted.label} is a whole model and no adapter: its training method is "
            f"{source.manifest.method}; export it with --form merged"
        )
    return wish
