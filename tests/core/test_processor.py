"""A processor without bf16 is told from one that has it, and nothing is said where nobody can know."""

from pathlib import Path

import pytest

from tasks.core.machine import processor


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("flags : fpu avx2 fma\n", False),
        ("flags : fpu avx512f avx512_bf16\n", True),
        ("flags : amx_bf16 amx_tile\n", True),
        ("Features : fp asimd bf16\n", True),
        ("Features : fp asimd\n", False),
        ("processor : 0\n", True),
        (None, True),
    ],
)
def test_what_the_system_says_of_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, has: bool
) -> None:
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(processor, "CPUINFO", file)
    processor.has_bf16.cache_clear()
    try:
        assert processor.has_bf16() is has
        assert (processor.bf16_warning("training", "cpu", "bf16") is None) is has
        assert (
            processor.bf16_warning("training", "cpu", "fp32")
            is processor.bf16_warning("training", "gpu", "bf16")
            is None
        )
    finally:
        processor.has_bf16.cache_clear()
