"""The fixtures of tests/governed, for this room."""

from tests.governed.fixtures import cluster, folder, house, made

__all__ = ["cluster", "folder", "house", "made"]
