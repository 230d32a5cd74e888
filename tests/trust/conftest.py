"""The fixtures of tests/governed, for this room."""

from tests.governed.fixtures import agent, asked, cluster, folder, house, made

__all__ = ["agent", "asked", "cluster", "folder", "house", "made"]
