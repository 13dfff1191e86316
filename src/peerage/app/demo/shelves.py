"""What the nodes of the demo network share: made once in one folder, and listed by several of them each.

Invariant: everything lies in the folder that is given, some 18 MiB. Each file carries the stamp of one node, so the
contents are known nowhere else: nobody who tries the demo network himself can be met, or asked, by accident.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from peerage.app.demo.film import lengthen
from peerage.app.demo.made import evening, rings, waves, write_about, write_melody, write_picture, write_primes

FILM: Final = "Pieces go round - demo film.webm"
SEARCHES: Final = ["demo", "film", "music", "picture"]
"""Words worth searching for; each is found at several nodes."""

_TURNS: Final = 48  # of the film's 24 seconds: nearly twenty minutes, 16 MB, so that it can be seen coming in
_MUSIC: Final = {
    "Up the stairs - demo music.wav": (262, 294, 330, 392, 440, 523, 587, 659, 784, 880, 1047, 523),
    "Bells at noon - demo music.wav": (659, 523, 587, 392, 392, 587, 659, 523, 659, 587, 523, 392),
    "Two notes talk - demo music.wav": (440, 330, 440, 330, 392, 294, 392, 294, 330, 262, 330, 262),
}
_PICTURES: Final = {
    "Two waves meet - demo picture.png": waves,
    "Rings in the water - demo picture.png": rings,
    "Sun over the sea - demo picture.png": evening,
}
_PRIMES: Final = "Primes below a million - demo table.txt"
_ABOUT: Final = "About Peerage - demo text.md"


def fill(folder: Path, stamp: str) -> list[list[Path]]:
    """Make the files in a folder, and return for each node those that it shares; blocks for about a second."""
    said = f"made for the demo network {stamp}"
    film, primes, about = folder / FILM, folder / _PRIMES, folder / _ABOUT
    film.write_bytes(lengthen(_clip(), _TURNS, said))
    write_primes(primes, f"{said}\n")
    write_about(about, f"\n{said}\n")
    music = [folder / name for name in _MUSIC]
    for path, notes in zip(music, _MUSIC.values(), strict=True):
        write_melody(path, notes, said)
    pictures = [folder / name for name in _PICTURES]
    for path, picture in zip(pictures, _PICTURES.values(), strict=True):
        write_picture(path, picture, said)
    return [
        [film, about, music[0]],
        [film, music[0], music[1], pictures[0]],
        [film, music[1], music[2], pictures[1]],
        [film, primes, *pictures],
        [primes, about, music[2], pictures[2]],
    ]


def _clip() -> bytes:
    return files("peerage.app.demo").joinpath("pieces.webm").read_bytes()
