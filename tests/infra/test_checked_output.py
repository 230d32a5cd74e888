"""Standard output whose encoding lacks characters: everything is printed all the same, and JSON stays JSON."""

import io
import json
import sys

import pytest

from infra.cli import checked_output

TEXT = "ok → é 😀"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_written_as_json_writes_it(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    checked_output.install_checked_stdout()
    print(json.dumps({"text": TEXT}, ensure_ascii=False), flush=True)
    told = written.getvalue().decode(encoding)
    assert json.loads(told) == {"text": TEXT}
    assert (TEXT in told) == (encoding == "utf-8") and ("é" in told) == (encoding != "ascii")
