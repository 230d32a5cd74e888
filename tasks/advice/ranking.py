"""Ranking of the approaches for a use case, with their costs. The best one can be written into the use-case card."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.advice import row_profile as rows
from tasks.advice import rules
from tasks.advice.row_profile import RowProfile
from tasks.advice.rules import Opinion
from tasks.core.documents import config
from tasks.core.errors import Unavailable
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.params import Params
from tasks.core.params.training import Training
from tasks.runs.requests import earlier_runs, resolution, training_estimate
from tasks.stages.train.preflight.estimate import Estimate


@dataclass(frozen=True)
class Advice:
    row_profile: RowProfile
    opinions: list[Opinion]
    """Opinions on all approaches, the best approach first."""
    current_approach: str
    """Approach that is currently set in the parameter `use_case.approach`."""
    costs: Mapping[str, Estimate]
    """Estimated cost of each approach that requires training."""

    @property
    def best(self) -> Opinion:
        return self.opinions[0]


def advise_on_approach(root: Path, params_file: Path | None, changes: Mapping[str, str]) -> Advice:
    """Rank the approaches for a use case, and estimate their costs.

    Raises:
        InputError: The parameters are not valid.
        Unavailable: No run of the use case has training rows that can be read.
    """
    params, _ = resolution.read_params(params_file or root / "params.yaml", changes)
    data = _newest_profile(params, Layout(root))
    if data is None:
        raise Unavailable(
            f"no run of use case {params.use_case.name} has come as far as its rows yet; start one with `hallmark "
            "run`, it waits at the data gate"
        )
    ranked = rules.rank_approaches(data)
    costs: dict[str, Estimate] = {}
    plain = any(prompt.text_window for prompt in params.prompts.values())
    for opinion in ranked:
        if plain:  # prompts for plain texts allow no other approach
            if opinion.approach in methods.TEXT_APPROACHES:
                costs[opinion.approach] = training_estimate.estimate_training(root, params_file, changes).estimate
        elif method := rules.default_method(opinion.approach):
            settings = {**changes, **_parameter_overrides(opinion.approach, method, params.training)}
            costs[opinion.approach] = training_estimate.estimate_training(root, params_file, settings).estimate
    return Advice(data, ranked, params.use_case.approach, costs)


def _parameter_overrides(approach: str, method: str, training: Training) -> dict[str, str]:
    """Return the parameter overrides that select an approach and its method.

    Missing settings of the method get their defaults. Settings of other methods are set to null.
    """
    fields = Training.model_fields
    lacks = {
        it: fields[it].default for it in methods.get_method(method).required_settings if getattr(training, it) is None
    }
    settings = {**methods.required_unused_settings(method), **lacks}
    stated = {f"training.{name}": "null" if value is None else str(value) for name, value in settings.items()}
    return {"use_case.approach": approach, "training.method": method, **stated}


def _newest_profile(params: Params, layout: Layout) -> RowProfile | None:
    for other in earlier_runs.find_earlier_runs(layout, params):
        if other.params.use_case.name == params.use_case.name and (found := rows.profile_run(other)):
            return found
    return None


def write_best_approach(params_file: Path, advice: Advice) -> None:
    """Write the best approach and its reasons into the use-case card of a params file. Comments in it are kept."""
    before, best = config.read_yaml_text(params_file), advice.best
    reason = "; ".join(best.reasons) or "nothing speaks against it"
    method, training = rules.default_method(best.approach), resolution.read_params(params_file, {})[0].training
    changes = _parameter_overrides(best.approach, method, training) if method else {"use_case.approach": best.approach}
    _, text = resolution.read_params(params_file, {**changes, "use_case.approach_reason": _quoted(reason)})
    config.overwrite_if_unchanged(params_file, before, text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def as_json(advice: Advice) -> dict[str, Any]:
    return {
        "best": advice.best.approach,
        "chosen": advice.current_approach,
        "rows_of": advice.row_profile.run,
        "rows": advice.row_profile.rows,
        "different_answers": advice.row_profile.distinct_answers,
        "approaches": [
            {
                "approach": it.approach,
                "points": it.points,
                "reasons": list(it.reasons),
                "hours": (cost := advice.costs.get(it.approach)) and cost.hours,
                "cost_usd": cost and cost.cost_usd,
                "fits": cost and cost.fits_memory,
            }
            for it in advice.opinions
        ],
    }
