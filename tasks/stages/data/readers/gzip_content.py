"""Unpacking of gzip up to the limit of the source: content can unpack to a thousand times its size."""

import gzip
import zlib
from typing import IO

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers.limits import refuse_unpacked

BLOCK = 1 << 20
MAGIC = b"\x1f\x8b"


def is_gzip(file: IO[bytes]) -> bool:
    file.seek(0)
    return file.read(len(MAGIC)) == MAGIC


def unpack(packed: IO[bytes], plain: IO[bytes], source: Source) -> None:
    """Write the unpacked content of `packed` to `plain`.

    Raises:
        InputError: The content is damaged or truncated, or unpacks to more than the source allows.
    """
    packed.seek(0)
    where, size = f"source {source.id}: {source.location}", 0
    try:
        with gzip.GzipFile(fileobj=packed, mode="rb") as file:
            while block := file.read(BLOCK):
                size += plain.write(block)
                refuse_unpacked(size, source)
    except EOFError:
        raise InputError(
            f"{where} is truncated: its gzip stream ends early, after {size:,} bytes unpacked; fetch it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{where} is damaged gzip ({error}); fetch it again") from None
