"""HTML of pages and of messages: both leave out the same, and refuse the same."""

import pytest

from tasks.stages.data.readers.documents import UnreadableDocument
from tasks.stages.data.readers.html_events import VOID_TAGS, UnreadableHtml
from tasks.stages.data.readers.html_text import parse_page
from tasks.stages.data.readers.mail_html import html_to_text
from tasks.stages.data.readers.sections import Section


def texts(html: str) -> tuple[str, str]:
    """Return the text of a page, and of a message, on one line each."""
    page = "\n".join(each.text for each in parse_page(html).sections if isinstance(each, Section))
    return " ".join(page.split()), " ".join(html_to_text(html).split())


NO_CONTENT = ("button", "iframe", "math", "nav", "noscript", "object", "script", "select", "style", "svg", "textarea")
ALIKE = {
    **{f"<p>a</p><{tag}>no</{tag}><p>b": "a b" for tag in NO_CONTENT},
    **{f"<p>a</p><{tag} hidden><p>b": "a b" for tag in sorted(VOID_TAGS)},
    "<p>a</p><p hidden>no</p><p aria-hidden=TRUE>no</p><p>b": "a b",
    "<p>a</p><div hidden><div><p>no<ul><li>no</div></div><p>b": "a b",
    "<p>a</p><nav>no</b></i></p></nav></div></div><p>b": "a b",
    "<p>a</p><svg><svg>no</svg>no</svg><p>b": "a b",
    "<p>a<!-- no --><?php no ?></p><video><track><source></video><p>b": "a b",
    "": "",
}


@pytest.mark.attack(rights="commit", stopped="documents are read as streams, without entities, within limits of size")
def test_pages_and_messages_leave_out_the_same() -> None:
    for html, text in ALIKE.items():
        assert texts(html) == (text, text), html
    assert html_to_text("<p>a&nbsp;b") == "a b"
    assert [each.text for each in parse_page("<p>a&nbsp;b").sections if isinstance(each, Section)] == ["a b"]
    told = "has bytes that are no characters in its encoding; save it as UTF-8"
    with pytest.raises(UnreadableDocument, match=told):
        parse_page("<p>\udcff")
    with pytest.raises(UnreadableHtml, match=told):
        html_to_text("<p>\udcff")
