"""A page of somebody else in a real browser, beside the Prefect server; and Hallmark's pages, with hostile text."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
import uvicorn

from infra.prefect import access
from tasks.core.layout import Layout
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.sources.expectation_suites import ExpectationSuite, Suites
from tasks.stages.data.validate import validate
from tests.answering import listening
from tests.console.servers import free_port, served
from tests.infra.test_prefect_api import settings
from tests.patience import patience
from tests.stages.data.build import Run, messages, params, record, source, table
from tests.stages.evaluate import house
from tests.stages.evaluate.browser import page_of

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")

CHANGE = "/api/flow_runs/filter"
PROBES = {
    "read": "fetch(at, {credentials: 'include'})",
    "read without asking": "fetch(at, {mode: 'no-cors', credentials: 'include'})",
    "written without asking": "fetch(at, {method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}'})",
    "written with a secret": "fetch(at, {method: 'POST', headers: {authorization: 'Basic SECRET'}, body: '{}'})",
    "written as json": "fetch(at, {method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'})",
    "deleted": "fetch(at, {method: 'DELETE', credentials: 'include'})",
    "a beacon": "(navigator.sendBeacon(at, '{}'), new Promise((_, no) => setTimeout(no, 500)))",
    "a form": "form(at)",
    "a script": "tag('script', at)",
    "a picture": "tag('img', at)",
    "a frame": "frame(at)",
    "a token": "fetch(at.replace('/flow_runs/filter', '/csrf-token') + '&client=x')",
    "a description of it": "fetch(at.replace('/flow_runs/filter', '/openapi.json'))",
    "a worker": "new Promise((_, no) => { new Worker(at).onerror = no })",
    "a socket that reads": "socket(at.replace('/flow_runs/filter', '/events/out'))",
    "a socket that writes": "socket(at.replace('/flow_runs/filter', '/events/in'))",
    "a socket of logs": "socket(at.replace('/flow_runs/filter', '/logs/out'))",
}
"""What a page of another origin may try, each about the path `at`."""
PAGE = """<!doctype html><pre id="told"></pre><script>
const told = {}
const tag = (name, at) => new Promise((yes, no) => {
  const made = document.createElement(name); made.onload = () => yes({}); made.onerror = no
  made.src = at; document.body.append(made) })
const frame = at => new Promise((yes, no) => {
  const made = document.createElement('iframe'); made.src = at
  made.onload = () => { try { yes({text: async () => made.contentDocument.body.innerText}) } catch (e) { no(e) } }
  document.body.append(made) })
const form = at => new Promise((yes, no) => {
  const into = document.createElement('iframe'); into.name = 'into'; document.body.append(into)
  const made = document.createElement('form'); made.action = at; made.method = 'POST'; made.target = 'into'
  made.enctype = 'text/plain'; document.body.append(made); made.submit(); setTimeout(no, 500) })
const socket = at => new Promise((yes, no) => {
  const made = new WebSocket(at.replace('http', 'ws'), 'prefect'); made.onclose = no; made.onerror = no
  made.onopen = () => made.send(JSON.stringify({type: 'auth', token: 'wrong'}))
  made.onmessage = event =>
    JSON.parse(event.data).type == 'auth_success' ? yes({text: async () => event.data}) : no() })
async function attempt(name, deed) {
  const late = new Promise((_, no) => setTimeout(no, 2000))
  try {
    const came = await Promise.race([deed(), late]); told[name] = came.text ? await came.text() : ''
  } catch (error) { told[name] = null }
}
Promise.all([DEEDS]).then(() => { document.getElementById('told').textContent = JSON.stringify(told) })
</script>"""


def seen(url: str, home: Path) -> str:
    """What a browser made of a page."""
    assert CHROMIUM
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
             "--disable-component-update", "--disable-sync", "--virtual-time-budget=6000", "--disable-dev-shm-usage",
             f"--user-data-dir={home}", "--host-resolver-rules=MAP rebound.example 127.0.0.1"]  # fmt: skip
    done = subprocess.run([CHROMIUM, *flags, "--dump-dom", url], capture_output=True, text=True, timeout=patience(300))
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


class Answers:
    """The application, and by the name of the probe what it answered."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.given: dict[str, list[int]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = parse_qs(scope.get("query_string", b"").decode()).get("probe", [""])[0]

        async def noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.given.setdefault(name, []).append(message["status"])
            await send(message)

        await self.app(scope, receive, noted)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str | None], dict[str, list[int]]]:
    """By the name of a probe, what the page read and what the server answered; all in one page."""
    root = tmp_path_factory.mktemp("root")
    port = free_port()
    with settings(root, at=f"http://127.0.0.1:{port}"):
        from prefect.server.api.server import create_app  # its import takes 2 CPU seconds

        answers = Answers(create_app(ignore_cache=True))
        deeds = ", ".join(
            f"attempt({json.dumps(name)}, () => {{ const at = "
            f"{json.dumps(f'http://127.0.0.1:{port}{CHANGE}?probe={quote(name)}')}; return {deed} }})"
            for name, deed in PROBES.items()
        )
        text = PAGE.replace("DEEDS", deeds).replace("SECRET", access.server_secret(root))
        config = uvicorn.Config(answers, "127.0.0.1", port, lifespan="off", log_level="critical")
        with served(config), listening(text) as (other, _):
            page = seen(f"http://rebound.example:{other}/", tmp_path_factory.mktemp("home"))
    found = re.search(r'<pre id="told">(.+?)</pre>', page)
    assert found, page[-500:]
    return json.loads(found[1].replace("&amp;", "&")), answers.given


@pytest.mark.attack(rights="orchestrator", stopped="the server's secret, its own origin, and its CSRF token")
@pytest.mark.parametrize("probe", PROBES)
def test_a_page_of_somebody_else_neither_reads_nor_writes(
    tried: tuple[dict[str, str | None], dict[str, list[int]]], probe: str
) -> None:
    read, answered = tried
    assert not read[probe], read[probe]
    assert all(status in (400, 401, 403) for status in answered.get(probe, [])), answered[probe]


def test_the_page_reached_the_server(tried: tuple[dict[str, str | None], dict[str, list[int]]]) -> None:
    """So what came to nothing came to nothing there."""
    assert len(tried[1]) >= 10 and set(tried[0]) == set(PROBES)


def hostile(port: int) -> str:
    """Text that does something wherever it is not shown as text, and asks `port` when it does."""
    to = f"http://127.0.0.1:{port}"
    return (
        f"</td></pre></title></style></textarea></script><script>fetch('{to}/script')</script>"
        f"<img src={to}/img onerror=fetch('{to}/error')><svg onload=fetch('{to}/svg')>"
        f'<meta http-equiv="refresh" content="0;url={to}/refresh"><link rel=stylesheet href={to}/link>'
        f"<link rel=prefetch href={to}/prefetch><link rel=dns-prefetch href={to}><base href={to}/>"
        f"<iframe src={to}/frame></iframe><iframe srcdoc=\"<script>fetch('{to}/doc')</script>\"></iframe>"
        f"<style>@import '{to}/style'; body {{ background: url({to}/back) }}</style>"
        f"<object data={to}/object></object><embed src={to}/embed><video poster={to}/poster src={to}/video></video>"
        f"<form id=f action={to}/form><input autofocus onfocus=f.submit()></form>"
        f"<body onload=fetch('{to}/body')><details open ontoggle=fetch('{to}/toggle')>"
        f"\"'><script src={to}/src></script>{{{{ 7*7 }}}}${{7*7}}<!--"
    )


def report(place: Path, text: str) -> Path:
    layout = Layout(place)
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": '{"intent": "<b>", "queue": "q"}'}]
    rows = [house.row(number, messages=turns, department=text, language=text[:60]) for number in range(2)]
    house.write_split(layout, [*rows, house.row(3)])
    house.write_answers(layout, {"base": lambda _: text, "candidate": house.right})
    page_of(layout, [{"name": text, "fact": "evaluate.exact_match", "at_least": 0.5}])
    return layout.artefacts("evaluate") / "report.html"


def data_docs(place: Path, text: str) -> Path:
    place.mkdir()
    run = Run(place)
    (run.root / "x.csv").write_bytes(table(messages(1)))
    run.resolve(source("x.csv", description=text, licence=text, lawful_basis=text))
    run.put(LAST_FILTER_STAGE, [record(text, number=number) for number in range(3)])
    in_set = {"type": "expect_column_values_to_be_in_set", "why": text}
    columns = [in_set | {"kwargs": {"column": name, "value_set": [text]}} for name in ("prompt", "language")]
    asked = {"name": "checks", "expectations": columns}
    run.put_suites(Suites(by_source={}, dataset=ExpectationSuite.model_validate(asked)))
    validate.run(params(), run.layout)
    return run.layout.artefacts("validate") / "docs" / "dataset.html"


PAGES = {"report": report, "Data Docs": data_docs}


@pytest.mark.attack(
    rights="stage", stopped="text is escaped in every page, which says that nothing in it runs or is fetched"
)
@pytest.mark.parametrize("page", PAGES)
def test_text_in_a_page_runs_nothing_and_asks_nobody(tmp_path: Path, page: str) -> None:
    with listening("<script>document.title = 'theirs'</script>") as (port, asked):
        path = PAGES[page](tmp_path / "run", hostile(port))
        shown = seen(path.as_uri(), tmp_path / "home")
        assert "7*7" in shown and "theirs" not in shown
        assert asked == []


def test_the_text_does_something_where_it_is_not_escaped(tmp_path: Path) -> None:
    with listening("") as (port, asked):
        (tmp_path / "page.html").write_text(f"<!doctype html><body>{hostile(port)}")
        seen((tmp_path / "page.html").as_uri(), tmp_path / "home")
        assert len(set(asked)) > 5
