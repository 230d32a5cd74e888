"""Small documents for tests: PDF as bytes written by hand, .docx by python-docx, and parts of a .docx replaced."""

import io
import zipfile
from collections.abc import Sequence

import docx

PICTURE = None
"""Page with a picture and no text."""


def pdf(pages: Sequence[str | None], outline: Sequence[tuple[str, int]] = (), catalog: str = "") -> bytes:
    """A PDF whose pages have these lines, or PICTURE, and whose outline has these titles with numbers of pages."""
    root = 5 + 2 * len(pages)
    kids = " ".join(f"{5 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{f'/Outlines {root} 0 R' if outline else ''}{catalog}>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        stream("0", "/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"),
    ]
    for place, text in enumerate(pages):
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in (text or "").split("\n"))
        objects += [
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>/XObject<</I 4 0 R>>>>"
            f"/Contents {6 + 2 * place} 0 R>>",
            stream("/I Do" if text is PICTURE else f"BT /F 12 Tf 50 700 Td {shown}ET"),
        ]
    if outline:
        objects.append(f"<</Type/Outlines/First {root + 1} 0 R/Last {root + len(outline)} 0 R>>")
    for place, (title, page) in enumerate(outline, start=1):
        following = f"/Next {root + place + 1} 0 R" if place < len(outline) else ""
        objects.append(f"<</Title({title})/Parent {root} 0 R/Dest[{3 + 2 * page} 0 R/Fit]{following}>>")
    return _assemble(objects)


def stream(content: str, entries: str = "") -> str:
    return f"<</Length {len(content)}{entries}>>\nstream\n{content}\nendstream"


def _assemble(objects: Sequence[str]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{each}\nendobj\n".encode("latin-1")
    start, table = len(out), "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<</Size {size}/Root 1 0 R".encode()
    out += f"/Info<</Title(Fees)/ModDate(D:20240301120000Z)>>>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def word(*paragraphs: tuple[str, str], table: Sequence[Sequence[str]] = ()) -> bytes:
    """A .docx whose paragraphs have these styles and texts, and that ends with a table."""
    document = docx.Document()
    document.core_properties.title = "Fees"
    for style, text in paragraphs:
        document.add_paragraph(text, style=style)
    if table:
        made = document.add_table(len(table), len(table[0]))
        for row, texts in zip(made.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def with_part(document: bytes, name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a .docx in which one part is replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as old, zipfile.ZipFile(out, "w", method) as new:
        for entry in old.namelist():
            new.writestr(entry, content if entry == name else old.read(entry))
    return out.getvalue()


def with_stated_size(document: bytes, name: str, size: int) -> bytes:
    """Return a .docx whose directory states another size for a part."""
    entry = document.rindex(name.encode()) - 46  # APPNOTE.TXT 4.3.12: the name follows the entry's 46 bytes
    assert document[entry : entry + 4] == b"PK\1\2"
    return document[: entry + 24] + size.to_bytes(4, "little") + document[entry + 28 :]
