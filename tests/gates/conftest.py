"""The fixtures of tests/governed, for this room."""

from tests.governed.fixtures import asked, cluster, folder, house, made

__all__ = ["asked", "cluster", "folder", "house", "made"]
