"""Model card in Hugging Face's format, filled from the facts of the stages and the use-case card."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import facts, files
from tasks.core.escaping import escape, escape_markdown
from tasks.core.facts import Facts
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.use_case import SuccessMetric
from tasks.core.payload.manifest import Manifest
from tasks.core.steps.data import DATA_STAGES
from tasks.sources.sources import ResolvedSources
from tasks.stages.package.params import Params

TEMPLATE = Path(__file__).parent / "templates" / "model_card.md.j2"
HUB_LICENCES = {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "openrail", "llama3.1"}
"""Identifiers of the Hugging Face Hub for licences of base models. Any other licence is written to `license_name`."""


@dataclass(frozen=True)
class CardData:
    params: Params
    manifest: Manifest
    facts: Facts
    sources: ResolvedSources
    metrics: Mapping[str, str]
    dataset: Mapping[str, Any]

    def segment(self, name: str) -> dict[str, dict[str, int]]:
        """Return the number of rows in a segment, by value and partition.

        For the segment `language` it is, for example, `{"en": {"train": 700, "test": 100}}`.
        """
        sides: Mapping[str, Mapping[str, int]] = self.dataset["segments"][name]
        values = sorted({value for counts in sides.values() for value in counts if value and value != "null"})
        return {value: {side: counts.get(value, 0) for side, counts in sides.items()} for value in values}


def gather(params: Params, layout: Layout, manifest: Manifest) -> CardData:
    return CardData(
        params=params,
        manifest=manifest,
        facts=_stage_facts(layout, manifest.stages),
        sources=ResolvedSources.model_validate_json(layout.sources.read_bytes()),
        metrics={
            metric["name"]: metric["title"]
            for metric in files.read_json(layout.artefacts("evaluate") / "metrics.json")["metrics"]
        },
        dataset=files.read_json(layout.artefacts("split") / "manifest.json"),
    )


def render(parts: CardData) -> str:
    """Render the model card as Markdown with a YAML header.

    Texts that people wrote, such as the description of a use case, are escaped.
    """
    use_case = parts.params.use_case
    card = _template().render(
        header=RawMarkdown(escape(_header(parts).to_yaml())),
        use_case=use_case,
        training=parts.params.training,
        settings={
            name.replace("_", " "): getattr(parts.params.training, name)
            for name in methods.get(parts.params.training.method).settings
            if getattr(parts.params.training, name) is not None
        },
        manifest=parts.manifest,
        sources=parts.sources.sources,
        rows=parts.dataset["rows"],
        segments={name: parts.segment(name) for name in ("language", "department", "kind")},
        data_figures=_facts_of_stages(parts.facts, *(f"{stage.name}." for stage in DATA_STAGES)),
        figures=_facts_of_stages(parts.facts, "evaluate."),
        targets=[
            (metric, _threshold_text(metric), parts.facts.get(metric.fact)) for metric in use_case.success_metrics
        ],
    )
    return f"{card.rstrip()}\n"


class RawMarkdown(str):
    """Text that is inserted into the model card without escaping."""


def _template() -> Any:
    import jinja2

    folder = jinja2.FileSystemLoader(TEMPLATE.parent)
    pages = jinja2.Environment(loader=folder, finalize=_escaped, undefined=jinja2.StrictUndefined)
    return pages.get_template(TEMPLATE.name)


def _escaped(value: Any) -> str:
    return value if isinstance(value, RawMarkdown) else escape_markdown(str(value))


def _facts_of_stages(stated: Facts, *stages: str) -> Facts:
    return {name: fact for name, fact in stated.items() if name.startswith(stages)}


def _header(parts: CardData) -> Any:
    from huggingface_hub import ModelCardData

    licence = parts.manifest.base_model_licence
    known = licence.lower() in HUB_LICENCES
    return ModelCardData(
        model_name=parts.manifest.name,
        language=list(parts.segment("language")) or None,
        license=licence.lower() if known else "other",
        license_name=None if known else licence,
        library_name=methods.get(parts.manifest.method).form.library,
        pipeline_tag="text-generation",
        base_model=parts.params.base_model.hub,
        tags=["hallmark", parts.params.use_case.approach],
        eval_results=_results(parts) or None,
    )


def _results(parts: CardData) -> list[Any]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=parts.manifest.name,
            dataset_name=f"{parts.manifest.name}, held-out rows",
            dataset_split="test",
            dataset_revision=parts.manifest.stages["split"],
            metric_type=name,
            metric_name=title,
            metric_value=parts.facts[f"evaluate.{name}"].value,
        )
        for name, title in parts.metrics.items()
        if f"evaluate.{name}" in parts.facts
    ]


def _threshold_text(metric: SuccessMetric) -> str:
    end = {"value": "", "low": "lower end ", "high": "upper end "}[metric.bound]
    wanted = f"at least {metric.at_least:g}" if metric.at_least is not None else f"at most {metric.at_most:g}"
    return end + wanted


def _stage_facts(layout: Layout, stages: Iterable[str]) -> Facts:
    figures: Facts = {}
    for stage in stages:
        stated = files.read_json(layout.artefacts(stage) / "result.json").get("facts", {})
        figures |= {f"{stage.replace('/', '.')}.{name}": fact for name, fact in facts.parse(stated).items()}
    return figures
