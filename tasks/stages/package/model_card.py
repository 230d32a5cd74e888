"""Model card in Hugging Face's format, filled from the stages' facts and the use-case card."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import facts, files
from tasks.core.escaping import escape_hidden, escape_markdown
from tasks.core.facts import Facts
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.use_case import SuccessMetric
from tasks.core.payload.manifest import Manifest
from tasks.core.steps.data import DATA_STAGES
from tasks.sources.resolved_sources import ResolvedSources
from tasks.stages.package.params import Params

TEMPLATE_PATH = Path(__file__).parent / "templates" / "model_card.md.j2"
HUB_LICENCES = {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "openrail", "llama3.1"}
"""Licences of base models that have an identifier on the Hugging Face Hub. Other licences are written to
`license_name`."""


@dataclass(frozen=True)
class CardData:
    params: Params
    manifest: Manifest
    facts: Facts
    sources: ResolvedSources
    metric_titles: Mapping[str, str]
    dataset: Mapping[str, Any]

    def segment_counts(self, name: str) -> dict[str, dict[str, int]]:
        """Return the row counts of a segment, by value and partition.

        For the segment `language`, the result could be `{"en": {"train": 700, "test": 100}}`.
        """
        sides: Mapping[str, Mapping[str, int]] = self.dataset["segments"][name]
        values = sorted({value for counts in sides.values() for value in counts if value and value != "null"})
        return {value: {side: counts.get(value, 0) for side, counts in sides.items()} for value in values}


def gather_card_data(params: Params, layout: Layout, manifest: Manifest) -> CardData:
    return CardData(
        params=params,
        manifest=manifest,
        facts=_read_stage_facts(layout, manifest.stages),
        sources=ResolvedSources.model_validate_json(layout.sources_path.read_bytes()),
        metric_titles={
            metric["name"]: metric["title"]
            for metric in files.read_json(layout.artefacts("evaluate") / "metrics.json")["metrics"]
        },
        dataset=files.read_json(layout.artefacts("split") / "manifest.json"),
    )


def render_model_card(card_data: CardData) -> str:
    """Render the model card as Markdown with a YAML header.

    Text that people wrote, such as the description of a use case, is escaped.
    """
    use_case = card_data.params.use_case
    card = load_template(TEMPLATE_PATH).render(
        header=RawMarkdown(escape_hidden(_card_header(card_data).to_yaml())),
        use_case=use_case,
        training=card_data.params.training,
        settings={
            name.replace("_", " "): getattr(card_data.params.training, name)
            for name in methods.get_method(card_data.params.training.method).own_settings
            if getattr(card_data.params.training, name) is not None
        },
        manifest=card_data.manifest,
        sources=card_data.sources.sources,
        rows=card_data.dataset["rows"],
        segments={name: card_data.segment_counts(name) for name in ("language", "department", "kind")},
        data_figures=_select_facts(card_data.facts, *(f"{stage.name}." for stage in DATA_STAGES)),
        figures=_select_facts(card_data.facts, "evaluate."),
        targets=[
            (metric, _threshold_text(metric), card_data.facts.get(metric.fact)) for metric in use_case.success_metrics
        ],
    )
    return f"{card.rstrip()}\n"


class RawMarkdown(str):
    """Text that is inserted into the model card without escaping."""


def load_template(path: Path) -> Any:
    """Return a Jinja template of a card, in which every inserted value is escaped unless it is RawMarkdown."""
    import jinja2

    folder = jinja2.FileSystemLoader(path.parent)
    pages = jinja2.Environment(loader=folder, finalize=_escape_unless_raw, undefined=jinja2.StrictUndefined)
    return pages.get_template(path.name)


def _escape_unless_raw(value: Any) -> str:
    return value if isinstance(value, RawMarkdown) else escape_markdown(str(value))


def _select_facts(stated: Facts, *stages: str) -> Facts:
    return {name: fact for name, fact in stated.items() if name.startswith(stages)}


def _card_header(card_data: CardData) -> Any:
    from huggingface_hub import ModelCardData

    return ModelCardData(
        model_name=card_data.manifest.name,
        language=list(card_data.segment_counts("language")) or None,
        **licence_fields(card_data.manifest.base_model_licence),
        library_name=methods.get_method(card_data.manifest.method).result_form.library_name,
        pipeline_tag="text-generation",
        base_model=card_data.params.base_model.hub,
        tags=["hallmark", card_data.params.use_case.approach],
        eval_results=_eval_results(card_data) or None,
    )


def licence_fields(licence: str) -> dict[str, Any]:
    """Return the fields of a card's header that state a licence."""
    known = licence.lower() in HUB_LICENCES
    return {"license": licence.lower() if known else "other", "license_name": None if known else licence}


def _eval_results(card_data: CardData) -> list[Any]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=card_data.manifest.name,
            dataset_name=f"{card_data.manifest.name}, held-out rows",
            dataset_split="test",
            dataset_revision=card_data.manifest.stages["split"],
            metric_type=name,
            metric_name=title,
            metric_value=card_data.facts[f"evaluate.{name}"].value,
        )
        for name, title in card_data.metric_titles.items()
        if f"evaluate.{name}" in card_data.facts
    ]


def _threshold_text(metric: SuccessMetric) -> str:
    end = {"value": "", "low": "lower end ", "high": "upper end "}[metric.bound]
    wanted = f"at least {metric.at_least:g}" if metric.at_least is not None else f"at most {metric.at_most:g}"
    return end + wanted


def _read_stage_facts(layout: Layout, stages: Iterable[str]) -> Facts:
    figures: Facts = {}
    for stage in stages:
        stated = files.read_json(layout.artefacts(stage) / "result.json").get("facts", {})
        figures |= {f"{stage.replace('/', '.')}.{name}": fact for name, fact in facts.facts_from_json(stated).items()}
    return figures
