"""Parameters that a sweep varies, given as `KEY=VALUE,VALUE,…` or `KEY=LOW..HIGH`.

A value can itself be a list, as in `KEY=[a,b],[a]`.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params.training import SETTINGS_THAT_NEED_VALIDATION, Training

PARAMS_SECTION = "training."
OVER_OPTION_EXAMPLE = "--over training.learning_rate=0.0005,0.001,0.002 or --over training.learning_rate=0.0001..0.01"
VALUE_SEPARATOR_PATTERN = re.compile(r",(?![^\[]*\])")
"""Pattern of a comma that is not inside brackets."""
MAX_COMBINATIONS = 1_000


@dataclass(frozen=True)
class SearchAxis:
    """Parameter that a sweep varies, with a list of values or with the bounds of a range."""

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_integer: bool = False
    """Whether both bounds are integers. Then all suggested values are integers too."""

    def suggest_value(self, trial: Any) -> str:
        """Return a value suggested by Optuna. Ranges are searched on a logarithmic scale."""
        if self.values:
            return str(trial.suggest_categorical(self.key, self.values))
        if self.is_integer:
            return str(trial.suggest_int(self.key, round(self.low), round(self.high), log=True))
        return f"{trial.suggest_float(self.key, self.low, self.high, log=True):.3g}"

    @property
    def sample_values(self) -> tuple[str, ...]:
        """Values to validate before training: the listed values, or a range's bounds and a value between them."""
        if self.values:
            return self.values
        if self.is_integer:
            return str(round(self.low)), str(round(self.high))
        return tuple(f"{value:.3g}" for value in (self.low, math.sqrt(self.low * self.high), self.high))


def parse_axes(axis_texts: Sequence[str]) -> list[SearchAxis]:
    """Parse the values of the option `--over`.

    Raises:
        InputError: A value is malformed, a parameter is named twice or cannot be varied, or there are too many
            combinations.
    """
    axes = [_parse_axis(text) for text in axis_texts]
    keys = [axis.key for axis in axes]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise InputError(f"--over names {', '.join(twice)} twice; name each parameter once, with all its values")
    if (count := math.prod(max(1, len(axis.values)) for axis in axes)) > MAX_COMBINATIONS:
        raise InputError(
            f"--over: {count:,} combinations, and a sweep takes at most {MAX_COMBINATIONS:,}; leave values out"
        )
    return axes


def _parse_axis(text: str) -> SearchAxis:
    key, equals, said = text.partition("=")
    if not equals or not said:
        raise InputError(f"--over {text}: expected KEY=VALUE,VALUE or KEY=LOW..HIGH, e.g. {OVER_OPTION_EXAMPLE}")
    if key.removeprefix(PARAMS_SECTION) not in Training.model_fields or not key.startswith(PARAMS_SECTION):
        raise InputError(
            f"--over {key}: expected a parameter of `training`, since all trials learn from the same rows; "
            "`hallmark params schema` lists them"
        )
    if key.removeprefix(PARAMS_SECTION) in SETTINGS_THAT_NEED_VALIDATION:
        raise InputError(f"--over {key}: all trials are looked at alike; set it with --set")
    if ".." not in said:
        values = tuple(value.strip() for value in VALUE_SEPARATOR_PATTERN.split(said))
        if len(set(values)) < len(values) or len(values) < 2 or not all(values):
            raise InputError(f"--over {text}: expected two values or more, each once")
        return SearchAxis(key, values)
    low, _, high = said.partition("..")
    try:
        axis = SearchAxis(
            key, low=float(low), high=float(high), is_integer=low.strip().isdigit() and high.strip().isdigit()
        )
    except ValueError:
        raise InputError(f"--over {text}: expected two numbers, e.g. {OVER_OPTION_EXAMPLE}") from None
    if not 0 < axis.low < axis.high < math.inf:
        raise InputError(f"--over {text}: expected a low end above 0 and a high end above that")
    return axis


def value_combinations(axes: Sequence[SearchAxis]) -> Iterator[Mapping[str, str]]:
    """Yield every combination of listed values. For a range, the values in `Axis.sample_values` are used."""
    for values in itertools.product(*(axis.sample_values for axis in axes)):
        yield dict(zip((axis.key for axis in axes), values, strict=True))
