"""Model card of an export, in Hugging Face's format. In contrast to the release's own card, it names no person."""

from pathlib import Path
from typing import Any

from tasks.core.escaping import escape_hidden
from tasks.registry.export import adapter, gguf_file
from tasks.registry.export.source import ExportSource
from tasks.registry.export.statement import ExportStatement
from tasks.stages.package import model_card
from tasks.stages.package.model_card import RawMarkdown

TEMPLATE_PATH = Path(__file__).parent / "templates" / "card.md.j2"
FORMS = {
    "adapter": "adapter for PEFT",
    "merged": "whole model for transformers, adapter and base model merged in float32 and rounded once",
    "gguf": "GGUF file for llama.cpp, adapter and base model merged in float32 and rounded once",
}
ADAPTER_LINES = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({base}, dtype="{dtype}"{revision})
model = PeftModel.from_pretrained(base, "DIR")
tokenizer = AutoTokenizer.from_pretrained("DIR")"""
MERGED_LINES = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("DIR", dtype="{dtype}")
tokenizer = AutoTokenizer.from_pretrained("DIR")"""
GGUF_LINES = "llama-server --model DIR/{file} --jinja"


def render_card(source: ExportSource, said: ExportStatement, with_base: bool) -> str:
    card = model_card.load_template(TEMPLATE_PATH).render(
        header=RawMarkdown(escape_hidden(_header(source, said).to_yaml())),
        case=source.params.use_case,
        said=said,
        form=FORMS[said.form],
        language="sh" if said.form == "gguf" else "python",
        lines=RawMarkdown(_lines(source, said, with_base)),
        answers=RawMarkdown(escape_hidden(_sentence(said.describe_answers()))),
        not_tried=", ".join(said.not_tried),
    )
    return f"{card.rstrip()}\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _header(source: ExportSource, said: ExportStatement) -> Any:
    """Return the front matter. A hub takes as `base_model` only an id of its own."""
    from huggingface_hub import ModelCardData

    return ModelCardData(
        model_name=source.manifest.name,
        **model_card.licence_fields(said.base_model_licence),
        library_name={"adapter": "peft", "merged": "transformers", "gguf": "gguf"}[said.form],
        pipeline_tag="text-generation",
        base_model=source.params.base_model.hub,
        tags=["hallmark", source.params.use_case.approach, *["demo"] * said.demo],
    )


def _lines(source: ExportSource, said: ExportStatement, with_base: bool) -> str:
    base = source.params.base_model
    lines = {"adapter": ADAPTER_LINES, "merged": MERGED_LINES, "gguf": GGUF_LINES}[said.form]
    return lines.format(
        base=f'"DIR/{adapter.BASE_FOLDER}"' if with_base else repr(source.base_name),
        revision=f', revision="{base.revision}"' if base.hub and not with_base else "",
        dtype=said.dtype,
        file=gguf_file.FILE_NAME,
    )
