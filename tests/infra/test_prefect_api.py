"""What Prefect's own application answers under the settings that its server gets here. As processes:
test_prefect_access.py."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.context import SettingsContext, get_settings_context
from prefect.settings import Settings

from infra.prefect import access
from tasks.core.errors import InputError

UI = "http://127.0.0.1:4299"
ELSEWHERE = "http://evil.example"
OPEN = {("get", "/api/health"), ("get", "/api/ready")}
"""What says that the server is there, and no more."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@contextmanager
def served(root: Path, protected: str = "true") -> Iterator[Any]:
    """The application under our settings, `protected` from forged requests or not."""
    with settings(root, protected):
        yield application(root, protected)


@contextmanager
def settings(root: Path, protected: str = "true", at: str = UI) -> Iterator[None]:
    ours = access.server_environment(root, f"{at}/api") | {"PREFECT_UI_ENABLED": "false"}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (ours | {"PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": protected}).items():
            environment.setenv(name, value)
        with SettingsContext(profile=get_settings_context().profile, settings=Settings()):
            yield


@cache
def application(root: Path, protected: str) -> Any:
    """Prefect's own, made under the settings of now."""
    from prefect.server.api.server import create_app  # its import takes 2 CPU seconds, in each worker if it stood above

    return create_app(ignore_cache=True)


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


def ask(app: Any, *asked: tuple[str, str], **given: Any) -> list[httpx.Response]:
    """The application's answers to method and path, one after the other; it has no database here."""

    async def answers() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=UI) as client:
            return [await client.request(method, path, **given) for method, path in asked]

    return asyncio.run(answers())


def routes(app: Any, secret: str) -> list[tuple[str, str]]:
    """Method and path of everything that is served, with an id where a path wants one."""
    (told,) = ask(app, ("get", "/api/openapi.json"), headers=basic(secret))
    filled = {
        path: "/".join(str(uuid4()) if part.startswith("{") else part for part in path.split("/"))
        for path in told.json()["paths"]
    }
    return [(method, f"/api{filled[path]}") for path, found in told.json()["paths"].items() for method in found]


@pytest.mark.attack(rights="orchestrator", stopped="the secret of the Prefect server")
@pytest.mark.parametrize("headers", [{}, basic("wrong")], ids=["none", "another one"])
def test_no_route_answers_without_the_secret(root: Path, headers: dict[str, str]) -> None:
    """Also without the CSRF protection, which refuses what would change something before the secret is looked at."""
    for protected in ("true", "false"):
        with served(root, protected) as app:
            found = [*routes(app, access.server_secret(root)), ("get", "/api/openapi.json"), ("get", "/api/docs")]
            answers = ask(app, *found, headers=headers)
        assert len(found) > 150
        told = {one: answer.status_code for one, answer in zip(found, answers, strict=True)}
        refused = {401, 403} if protected == "true" else {401}
        assert {one for one, status in told.items() if status not in refused} <= OPEN, told


@pytest.mark.attack(rights="orchestrator", stopped="the server's own origin, and its CSRF token")
def test_a_page_of_another_origin_neither_reads_nor_writes(root: Path) -> None:
    """Also in a browser that has the secret."""
    asks = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    change, known = ("patch", f"/api/deployments/{uuid4()}"), basic(access.server_secret(root))
    with served(root) as app:
        (refused,) = ask(app, ("options", change[1]), headers=asks)
        (own,) = ask(app, ("options", change[1]), headers=asks | {"Origin": UI})
        (read,) = ask(app, ("get", "/api/admin/version"), headers=known | {"Origin": ELSEWHERE})
        (written,) = ask(app, change, json={"pull_steps": []}, headers=known)
    assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers
    assert own.headers["access-control-allow-origin"] == UI
    assert read.status_code == 200 and "access-control-allow-origin" not in read.headers
    assert written.status_code == 403 and "CSRF" in written.text


@pytest.mark.parametrize("name", ["CSRF_PROTECTION_ENABLED", "CORS_ALLOWED_ORIGINS"])
def test_no_other_spelling_of_a_setting_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Prefect knows each of these by two names, and the longer one goes before the other."""
    for spelling in (f"PREFECT_SERVER_{name}", f"PREFECT_SERVER_API_{name}"):
        monkeypatch.setenv(spelling, "false")
    with settings(tmp_path):
        found = Settings().server.api
    assert found.csrf_protection_enabled and found.cors_allowed_origins == UI


def test_an_empty_secret_opens_nothing(tmp_path: Path) -> None:
    access.server_secret(tmp_path)
    access.secret_file(tmp_path).write_text("\n")
    with pytest.raises(InputError, match="no secret in it"):
        access.server_environment(tmp_path, f"{UI}/api")
