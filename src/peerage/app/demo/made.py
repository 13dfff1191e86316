"""Made-up but real files: music, pictures, tables and texts, computed here, so that nothing has to be fetched.

Invariant: a file is made of its arguments alone, the same each time; `stamp` is written into it, so that a file with
another stamp is another content. Files are small, a few hundred KiB at the most.
"""

from __future__ import annotations

import itertools
import math
import struct
import wave
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import metadata
from pathlib import Path
from typing import Final

NOTES: Final = (523.25, 587.33, 659.25, 783.99, 880.0)  # C D E G A, in hertz
_RATE: Final = 8000  # samples a second
_SECONDS_A_NOTE: Final = 0.8
_LOUD: Final = 12_000  # of 32,767

Colour = tuple[int, int, int]
Picture = Callable[[float, float], Colour]
"""Gives the colour at a place: to the right and down, each from 0 to 1."""


def write_melody(path: Path, notes: Sequence[float] = NOTES, stamp: str = "") -> None:
    """Write a WAV file of struck notes, one after the other; frequencies in hertz."""
    samples = (
        round(_LOUD * math.sin(2 * math.pi * note * at / _RATE) * math.exp(-3 * at / _RATE))
        for note in notes
        for at in range(int(_RATE * _SECONDS_A_NOTE))
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    if stamp:
        _append_comment(path, stamp.encode())


def _append_comment(path: Path, text: bytes) -> None:
    """Put a comment behind the sound of a WAV file, as a LIST chunk of the RIFF form."""
    text += bytes(2 - len(text) % 2)  # at least one zero ends it, and its length is even
    inside = b"INFOICMT" + struct.pack("<I", len(text)) + text
    data = path.read_bytes() + b"LIST" + struct.pack("<I", len(inside)) + inside
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def write_primes(path: Path, stamp: str = "") -> int:
    """Write all primes below a million, one a line, and return how many there are."""
    sieve = bytearray([0, 0]) + bytearray([1]) * 999_998
    for number in range(2, 1000):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, len(sieve), number)))
    primes = list(itertools.compress(range(len(sieve)), sieve))
    path.write_text("\n".join(map(str, primes)) + f"\n{stamp}", "ascii")
    return len(primes)


def write_about(path: Path, stamp: str = "") -> None:
    """Write what Peerage is, in words."""
    about = metadata("peerage")
    text = f"# {about['Name']} {about['Version']}\n\n{about['Summary']}\n"
    if "Description" in about:
        text += f"\n{about['Description']}\n"
    path.write_text(text + stamp, "utf-8")


def write_picture(path: Path, picture: Picture, stamp: str = "", size: tuple[int, int] = (320, 200)) -> None:
    """Write a PNG file (RFC 2083) of a picture, so many pixels wide and high."""
    width, height = size
    rows = bytearray()
    for down in range(height):
        rows.append(0)  # no filter
        for right in range(width):
            rows += bytes(picture(right / width, down / height))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"tEXt", b"Comment\0" + stamp.encode("latin-1")),
        (b"IDAT", zlib.compress(bytes(rows), 9)),
        (b"IEND", b""),
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def waves(right: float, down: float) -> Colour:
    """Two waves that meet."""
    height = math.sin(18 * right + 3 * math.sin(5 * down)) + math.sin(14 * down)
    return _between((18, 40, 74), (122, 214, 206), (height + 2) / 4)


def rings(right: float, down: float) -> Colour:
    """Rings round two stones in the water."""
    near, far = math.hypot(right - 0.3, 0.6 * (down - 0.4)), math.hypot(right - 0.75, 0.6 * (down - 0.65))
    return _between((40, 26, 66), (250, 182, 96), (math.sin(60 * near) + math.sin(60 * far) + 2) / 4)


def evening(right: float, down: float) -> Colour:
    """The sun over the sea."""
    glow = math.exp(-9 * math.hypot(right - 0.5, 1.4 * (down - 0.52)))
    if down < 0.55:
        return _between(_between((34, 44, 104), (214, 104, 96), down / 0.55), (255, 226, 140), glow)
    ripple = 0.5 + 0.5 * math.sin(220 * (down - 0.55) ** 0.7 + 4 * math.sin(9 * right))
    return _between((16, 48, 84), (255, 190, 120), glow * ripple)


def _between(one: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours."""
    red, green, blue = (round(a + (b - a) * min(max(share, 0.0), 1.0)) for a, b in zip(one, other, strict=True))
    return red, green, blue
