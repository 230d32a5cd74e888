"""A gateway of a promoted release with a tiny model, served on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from infra.gateway.app import application
from infra.gateway.caller_keys import CallerKeys
from infra.gateway.gateway import Gateway
from infra.http.connections import uvicorn_config
from tasks.serve.follower import ReleaseFollower
from tests.console.servers import free_port, served
from tests.registry.conftest import copied, empty_registry, founded_once
from tests.registry.house import NAME, House
from tests.registry.test_export import release

__all__ = ["empty_registry", "founded_once"]
TOKEN = b"scrape"


class Served(NamedTuple):
    house: House
    gateway: Gateway
    keys: CallerKeys
    url: str
    rows: list[dict[str, object]]
    """Held-out questions, each with the answer that was evaluated."""

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys.add('helpdesk') if key is None else key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, founded_once: Path) -> Iterator[Served]:
    house = copied(founded_once, tmp_path_factory.mktemp("gateway") / "house")
    rows = release(house)
    root = house.governance.state.parent
    follower = ReleaseFollower(root, NAME, "test")
    keys, port = CallerKeys(house.governance.state / "gateway"), free_port()
    gateway = Gateway(NAME, follower, keys, TOKEN)
    with served(uvicorn_config(application(gateway), port, behind_proxy=False)):
        yield Served(house, gateway, keys, f"http://127.0.0.1:{port}", rows)
    follower.stop()
