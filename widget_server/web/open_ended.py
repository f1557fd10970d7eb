"""A body whose last few bytes are still open, compressed once: a fresh count costs a copy, not a compression.

Both formats allow it. A compressor that has been flushed stands at a whole byte, and what follows may be
stored as it is: in Brotli an uncompressed meta-block and an empty last one (RFC 7932, section 9.2), in
deflate a stored final block (RFC 1951, section 3.2.4), after which gzip wants the checksum and the length of
the whole (RFC 1952).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import brotli

Encoding = Literal["br", "gzip", "identity"]

_MOST = 0xFFFF
"""The longest tail: the shorter of the two formats' limits for one stored block."""


@dataclass(frozen=True, slots=True)
class OpenEnded:
    """The fixed part of a body in each encoding. Make it with `open_ended`."""

    plain: bytes
    br: bytes
    gzip: bytes
    crc: int
    digest: str

    def body(self, encoding: Encoding, tail: bytes) -> bytes:
        """The whole body, ended by `tail` (1 to 65,535 bytes), in `encoding`."""
        if not 0 < len(tail) <= _MOST:
            raise ValueError("a tail has 1 to 65,535 bytes")
        match encoding:
            case "br":
                # ISLAST 0, MNIBBLES 4, MLEN - 1 in 16 bits, ISUNCOMPRESSED 1; then ISLAST 1, ISLASTEMPTY 1.
                header = ((len(tail) - 1) << 3) | (1 << 19)
                return self.br + header.to_bytes(3, "little") + tail + b"\x03"
            case "gzip":
                stored = struct.pack("<BHH", 1, len(tail), len(tail) ^ 0xFFFF) + tail
                size = (len(self.plain) + len(tail)) & 0xFFFFFFFF
                return self.gzip + stored + struct.pack("<II", zlib.crc32(tail, self.crc), size)
            case "identity":
                return self.plain + tail

    def etag(self, encoding: Encoding, tail: bytes) -> str:
        """Strong, and different for each encoding (RFC 9110, section 8.8.3.3)."""
        return f'"{self.digest}-{sha256(tail).hexdigest()[:8]}-{encoding}"'


def open_ended(plain: bytes) -> OpenEnded:
    """Compresses the fixed part as hard as it goes: tens of milliseconds, so not on the event loop."""
    compressor = brotli.Compressor(mode=brotli.MODE_TEXT, quality=11, lgwin=18)
    br = compressor.process(plain) + compressor.flush()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    # No name and no time in the header: the same body is the same bytes.
    gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return OpenEnded(plain, br, gzip, zlib.crc32(plain), sha256(plain).hexdigest()[:16])
