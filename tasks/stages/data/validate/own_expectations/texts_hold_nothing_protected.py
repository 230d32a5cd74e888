"""Expectation `expect_texts_to_hold_nothing_protected`: the recognisers find nothing left to protect in the records."""

from typing import Any, ClassVar, Literal

from great_expectations.compatibility import pydantic
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render.components import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

from tasks.stages.data.protect.recognisers import detector
from tasks.stages.data.validate import remaining_finds

METRIC = "table.records_with_protected_text"
TextColumn = Literal["prompt", "target", "policy_tags", "department", "geography", "labelled_by"]
COLUMNS: list[TextColumn] = ["prompt", "target"]
NEEDED = ("record_id", "source_id")


class RecordsWithProtectedText(TableMetricProvider):
    """Metric: number of sampled records, and number of those with text that should have been replaced."""

    metric_name = METRIC
    value_keys = ("columns", "sample", "spared")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  # GE turns the method into a class method
        execution_engine: Any,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> tuple[int, int]:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.TABLE)
        drawn = frame[
            frame["record_id"].isin(
                remaining_finds.sample_record_ids(frame["record_id"], metric_value_kwargs["sample"])
            )
        ]
        texts = drawn[list(metric_value_kwargs["columns"])].itertuples(index=False, name=None)
        records = list(zip(drawn["source_id"], texts, strict=True))
        return len(records), remaining_finds.count_unprotected_records(
            records, metric_value_kwargs["spared"], detector.detect_spans
        )


class ExpectTextsToHoldNothingProtected(BatchExpectation):
    """Expect texts to contain no personal data or secrets, except in categories that their source keeps readable."""

    columns: list[TextColumn] = pydantic.Field(COLUMNS, min_items=1)
    sample: int = pydantic.Field(2000, ge=1)
    """Number of records in the sample. Recognition takes about a second for a thousand records."""
    at_most: float = pydantic.Field(0.0, ge=0, le=1)
    """Maximum fraction of records with detected text. A fraction above 0 allows for false positives, such as a word
    that looks like a name."""
    spared: dict[str, list[str]]
    """Categories that each source keeps. Stage `validate` takes them from sources.yaml; suites cannot set them."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "sample", "at_most", "spared")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        looked_at, unexpected = metrics[METRIC]
        percent = 100 * unexpected / looked_at if looked_at else 0.0
        counts = {"element_count": looked_at, "unexpected_count": unexpected, "unexpected_percent": percent}
        return {"success": unexpected <= self.at_most * looked_at, "result": counts}

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None
    ) -> list[RenderedStringTemplateContent]:
        kwargs = configuration.kwargs
        allowed = f", in all but {kwargs['at_most']:.2%} of them" if kwargs.get("at_most") else ""
        template = "$columns of $sample records must hold nothing personal or secret but what is kept$allowed."
        said = {
            "columns": ", ".join(kwargs.get("columns", COLUMNS)),
            "sample": f"{kwargs.get('sample', 2000):,}",
            "allowed": allowed,
        }
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template",
                string_template={"template": template, "params": said, "styling": {}},
            )
        ]
