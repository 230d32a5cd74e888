"""A Postgres, for databases that are brought forward."""

from tests.governed.fixtures import cluster

__all__ = ["cluster"]
