"""Unpacking of gzip content up to the limit of its source, because gzip can unpack to a thousand times its size."""

import gzip
import zlib
from typing import IO

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers.limits import check_unpacked_size

BLOCK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


def is_gzip(file: IO[bytes]) -> bool:
    file.seek(0)
    return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def unpack(packed: IO[bytes], plain: IO[bytes], source: Source) -> None:
    """Write the unpacked content of `packed` to `plain`.

    Raises:
        InputError: The content is damaged or truncated, or unpacks to more than the source allows.
    """
    packed.seek(0)
    where, size = f"source {source.id}: {source.location}", 0
    try:
        with gzip.GzipFile(fileobj=packed, mode="rb") as file:
            while block := file.read(BLOCK_BYTES):
                size += plain.write(block)
                check_unpacked_size(size, source)
    except EOFError:
        raise InputError(
            f"{where} is truncated: its gzip stream ends early, after {size:,} bytes unpacked; fetch it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{where} is damaged gzip ({error}); fetch it again") from None
