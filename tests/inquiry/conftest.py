from tests.stages.data.conftest import run

__all__ = ["run"]
