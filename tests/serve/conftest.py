"""Fixtures of the tests of serving: a tiny model, and a release that answers."""

from tests.stages.evaluate.conftest import base_folder

__all__ = ["base_folder"]
