"""The fixtures of tests/governed, for this room."""

from tests.governed.fixtures import folder, house, made

__all__ = ["folder", "house", "made"]
