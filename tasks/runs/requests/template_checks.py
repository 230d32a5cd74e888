"""Checks of templates and of required coverage against the sources, before a run starts.

A template can only be rendered if each source of its task states a value for each of its fields. Records of a kind can
only be required if a source of the task states kinds of answers.
"""

from collections.abc import Iterator

from tasks.core.params import prompt_template
from tasks.core.params.params import Params
from tasks.core.params.prompts import Prompt
from tasks.core.params.response import Response
from tasks.sources.sources import Source, Sources


def find_template_faults(params: Params, sources: Sources) -> Iterator[str]:
    """Yield a message for each source whose records cannot have the form that the templates of their task demand."""
    for source in sources.sources:
        prompt = params.prompts.get(source.constants.task)
        if prompt is not None:
            for fault in (*_prompt_faults(source, prompt), *_response_faults(source, prompt.response)):
                yield f"source {source.id}: prompts.{source.constants.task} of params.yaml has {fault}"


def find_impossible_coverage(params: Params, sources: Sources) -> Iterator[str]:
    """Yield a message for each coverage rule whose kind no source of its task can have."""
    for rule in params.data.coverage:
        own = [source for source in sources.sources if source.constants.task == rule.task]
        if own and not any(source.mapping.kind or source.constants.kind == rule.kind for source in own):
            yield (
                f"data.coverage of params.yaml demands {rule.kind} of task {rule.task}, and none of its sources "
                f"({', '.join(source.id for source in own)}) can have it; map `kind`, or set `constants.kind`"
            )


def _prompt_faults(source: Source, prompt: Prompt) -> Iterator[str]:
    for name in prompt_template.template_fields(prompt.template) if prompt.template is not None else ():
        constant = getattr(source.constants, name) or ""
        if getattr(source.mapping, name) is None and constant in prompt_template.MISSING_VALUES:
            yield (
                f"a template with {{{name}}}, for which the source has no value; give it `mapping.{name}` or "
                f"`constants.{name}` in sources.yaml, or leave the field out of the template"
            )


def _response_faults(source: Source, response: Response | None) -> Iterator[str]:
    mapped = source.mapping.response
    if response is None or not isinstance(mapped, dict):
        return
    if response.form == "label":
        yield "a response of form label, and the source maps several columns to a JSON object; map one, or change form"
    if response.form == "json":
        missing = sorted(response.fields.keys() - mapped.keys())
        unknown = sorted(mapped.keys() - response.fields.keys() - response.optional_fields.keys())
        for what, names in (("has no", missing), ("has too", unknown)):
            if names:
                yield (
                    f"a response with the fields {', '.join(response.fields)}, and `mapping.response` {what} "
                    f"{', '.join(names)}; make both agree"
                )
