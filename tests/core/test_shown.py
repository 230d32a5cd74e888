"""Text that would move what a reader sees, or that nobody sees, is spelled out, and nothing else is touched."""

import io
import json
import logging
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from infra.cli.terminal import LiteralConsole
from tasks.core import escaping
from tasks.core.errors import InputError
from tasks.core.escaping import (
    HIDDEN_CHARACTERS,
    escape_hidden,
    escape_markdown,
    escape_to_one_line,
    escaped_json,
    first_hidden_character,
    format_inline_code,
)
from tasks.core.files import write_json
from tasks.core.pages import escape_value as put_in

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "MIT \x1b[2J\x1b[H\u202eAll 9 checks passed\u2066\x9b8m\x7f\r\x08\u200b\u2028\U000e0041\ud800 [bold]x[/] <b>y</b>"
)
RAW = re.compile(f"[{HIDDEN_CHARACTERS}]")
SEEN = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd") | {
    chr(point) for point in range(0x13430, 0x13460)
}
"""Of Unicode's format characters those that have a form: signs of numbers and of years, parts of hieroglyphs."""


def test_every_character_without_a_form_is_hidden() -> None:
    formless = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    told = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in formless]
    assert not [f"U+{ord(one):04X}" for one in told if not RAW.match(one) and one not in SEEN | {"\n", "\t"}]
    assert all(map(RAW.match, "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")), "letters to Unicode, with no form either"
    assert escape_hidden("Grüße, שלום, 你好 👍 é\n\tx") == "Grüße, שלום, 你好 👍 é\n\tx"


@given(st.text(alphabet=st.characters()))
def test_what_is_shown_holds_nothing_hidden_and_is_shown_the_same_again(text: str) -> None:
    assert not RAW.search(escape_hidden(text)) and escape_hidden(escape_hidden(text)) == escape_hidden(text)
    assert "\n" not in escape_to_one_line(text) and "\t" not in escape_to_one_line(text)
    assert (first_hidden_character(text) is None) == (escape_hidden(text.replace("\u200c", "").replace("\u200d",
    "")) == text.translate(
        {0x200C: None, 0x200D: None}))  # fmt: skip


@given(st.text(alphabet=st.characters()))
def test_json_reads_back_as_what_it_was(text: str) -> None:
    told = escaped_json({text: [text]}, indent=2)
    assert json.loads(told) == {text: [text]} and not RAW.search(told)


def test_a_document_on_disk_holds_nothing_hidden(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"licence": HOSTILE})
    text = (tmp_path / "x.json").read_text()
    assert not RAW.search(text) and json.loads(text) == {"licence": HOSTILE}


MARKUP = (
    HOSTILE, "[click](https://evil.example)", "![](https://evil.example/x.png)", "# head", "- item", "1. item", "> q",
    "a | b", "`rm -rf`", "<img src=x onerror=alert(1)>", "&#x202e;gnp", "**b** _i_ ~~s~~", "[a]: https://evil.example",
    "\\[a](https://evil.example)", "a\n# b", "===", "--- ", "<https://evil.example>", "javascript&colon;alert(1)",
)  # fmt: skip


@pytest.mark.parametrize("text", MARKUP)
def test_markdown_shows_text_literally(text: str) -> None:
    """As a renderer with tables and struck text reads it, at the beginning of a line and within one."""
    render = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render
    for before in ("", "Run "):
        html = render(f"{before}{escape_markdown(text)}")
        assert set(re.findall(r"</?(\w+)", html)) == {"p"}, html
        assert not RAW.search(html)
    assert set(re.findall(r"</?(\w+)", render(format_inline_code(text)))) == {"p", "code"}


@pytest.mark.parametrize(
    "name", ["predict_tokens_per_second", "0.558 [0.469, 0.644]", "support-triage", "R&D, p < 0.05"]
)
def test_markdown_leaves_ordinary_text_as_it_is(name: str) -> None:
    assert escape_markdown(name) == name


def test_an_error_is_shown_wherever_it_is_told() -> None:
    assert not RAW.search(str(InputError(HOSTILE))) and not RAW.search(repr(str(InputError(HOSTILE))))


def test_a_template_shows_text_and_leaves_html_alone() -> None:
    import jinja2
    from markupsafe import Markup

    pages = jinja2.Environment(autoescape=True, finalize=put_in)
    html = pages.from_string("{{ a }}|{{ b }}|{{ 3 }}|{{ c|join(',') }}").render(
        a=HOSTILE, b=Markup("<i>x</i>"), c=[HOSTILE]
    )
    assert not RAW.search(html) and "|<i>x</i>|3|" in html and "<b>" not in html


def test_a_program_without_a_screen_prints_nowhere(tmp_path: Path) -> None:
    program = "from tasks.core import escaping; escaping.escape_output(); print('x', flush=True)"
    python = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"]
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>told', "sh", *python], cwd=tmp_path)
    assert (done.returncode, (tmp_path / "told").read_text()) == (0, "")


@contextmanager
def guarded() -> Iterator[io.StringIO]:
    """Everything that this process prints and logs, as commands and stages have it."""
    told, factory = io.StringIO(), logging.getLogRecordFactory()
    with redirect_stdout(told), redirect_stderr(told):
        escaping.escape_output()
        try:
            yield told
        finally:
            logging.setLogRecordFactory(factory)


def test_streams_and_logs_of_a_process_are_shown() -> None:
    with guarded() as told:
        print(HOSTILE)
        sys.stderr.writelines([HOSTILE])
        log = logging.Logger("test")
        log.addHandler(logging.StreamHandler(sys.stderr))
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.exception("it was %s", HOSTILE)
    assert not RAW.search(told.getvalue()) and told.getvalue().count("All 9 checks passed") == 4
    assert "Traceback" in told.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_console_writes_its_own_codes_and_nobody_elses(terminal: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("source", HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE, Text(HOSTILE))
    with guarded() as told:
        console = LiteralConsole(force_terminal=terminal, width=80)
        for one in (HOSTILE, Text(HOSTILE, style="bold"), table):
            console.print(one, style="bold")
        with console.status(Text(HOSTILE)):
            pass
    ours = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[12]K|\r|\x1b\[1A" if terminal else "$^")
    rest = ours.sub("", told.getvalue())
    assert not RAW.search(rest) and "[bold]x[/]" in rest and "<U+001B>" in rest


ALONE = {
    r"jinja2\.Environment\(": {"tasks/core/pages.py", "tasks/stages/package/model_card.py"},
    r"\bConsole\(|\(Console\)": {"infra/cli/terminal.py"},
    r"create_(table|markdown|link)_artifact\(": {"flows/artifacts.py"},
    r"typer\.echo|click\.echo": set(),
}
"""What shows text to people, and the one place that may: there it is spelled out."""


@pytest.mark.parametrize("what", ALONE)
def test_text_leaves_the_program_in_one_place(what: str) -> None:
    files = [path for room in ("tasks", "flows", "infra") for path in (ROOT / room).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in files if re.search(what, path.read_text())}
    assert found == ALONE[what]
