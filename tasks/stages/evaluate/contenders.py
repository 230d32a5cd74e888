"""The models that answer the held-out rows, in the order in which they are compared."""

from typing import Literal

Which = Literal["base", "champion", "candidate"]
MODELS: tuple[Which, ...] = ("base", "champion", "candidate")
