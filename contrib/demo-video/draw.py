"""Draws the film of the demo network: eight peers pass the pieces of a picture round until each has all of them.

What is seen is a small simulation, not a drawing of one: a peer gives one piece and takes one piece at a time, and
asks for what fewest have. Each piece that arrives plucks a string. The same run every time.

Writes `sound.wav`, and the frames as raw RGB to the standard output, for ffmpeg; `make.sh` calls both. Needs NumPy and
Pillow, which come with the extra `lab`.
"""

from __future__ import annotations

import math
import random
import sys
import wave
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 25, 24
PEERS, COLUMNS, ROWS, CELL = 8, 6, 4, 12
PIECES: Final = COLUMNS * ROWS
FIRST, ROUND = 2.0, 0.55  # seconds: before the first piece flies, and of one flight
LAST = 21.5  # seconds: by then all have everything, and the picture goes dark for the next time
RATE: Final = 48_000
NOTES: Final = (220.0, 246.94, 293.66, 329.63, 392.0, 440.0, 493.88, 587.33)  # a string for each peer, in hertz

BACKGROUND, EMPTY, LINE, TEXT = (15, 20, 27), (30, 38, 48), (52, 64, 80), (210, 218, 228)


class Flight(NamedTuple):
    """A piece on its way from one peer to another; seconds."""

    piece: int
    giver: int
    taker: int
    begins: float
    ends: float


def simulate() -> list[Flight]:
    """Let them pass pieces round; the first peer has everything, the others nothing."""
    rng = random.Random(8)  # noqa: S311 -- a drawing
    has = [set(range(PIECES)), *(set[int]() for _ in range(PEERS - 1))]
    flights: list[Flight] = []
    begins = FIRST
    while any(len(each) < PIECES for each in has):
        coming = _one_round(has, rng)
        for piece, giver, taker in coming:
            late = rng.uniform(0, 0.12)
            flights.append(Flight(piece, giver, taker, begins + late, begins + late + ROUND))
            has[taker].add(piece)
        begins += ROUND
    return flights


def _one_round(has: list[set[int]], rng: random.Random) -> list[tuple[int, int, int]]:
    """Return who gives which piece to whom in one round: each gives one and takes one at the most."""
    before = [set(each) for each in has]
    copies = [sum(piece in each for each in before) for piece in range(PIECES)]
    chosen: list[tuple[int, int, int]] = []
    givers = set(range(PEERS))
    takers = sorted(range(PEERS), key=lambda peer: (len(before[peer]), rng.random()))
    for taker in takers:
        on_its_way = {piece for piece, _, _ in chosen}
        wanted = [
            (copies[piece], piece in on_its_way, rng.random(), piece, giver)
            for giver in sorted(givers - {taker})
            for piece in sorted(before[giver] - before[taker])
        ]
        if wanted:
            *_, piece, giver = min(wanted)
            givers.discard(giver)
            chosen.append((piece, giver, taker))
    return chosen


def colour_of(piece: int) -> tuple[int, int, int]:
    """Return the colour of a piece: together they are an evening sky over water."""
    column, row = piece % COLUMNS, piece // COLUMNS
    glow = math.exp(-(((column - 2.5) / 2.2) ** 2 + ((row - 1.4) / 1.3) ** 2))
    night, fire, deep = (70, 92, 170), (255, 176, 84), (36, 128, 150)
    base = night if row < 2 else deep
    return tuple(round(base[n] + (fire[n] - base[n]) * glow) for n in range(3))  # type: ignore[return-value]  # three


def place_of(peer: int) -> tuple[float, float]:
    """Return the middle of a peer's picture."""
    angle = 2 * math.pi * (peer / PEERS) - math.pi / 2 + math.pi / PEERS
    return WIDTH / 2 + 235 * math.cos(angle), HEIGHT / 2 - 4 + 126 * math.sin(angle)


def frame_at(now: float, flights: list[Flight], font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    """Draw one moment."""
    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    have = [set(range(PIECES)), *(set[int]() for _ in range(PEERS - 1))]
    for flight in flights:
        if flight.ends <= now:
            have[flight.taker].add(flight.piece)
    flying = [flight for flight in flights if flight.begins <= now < flight.ends]
    for flight in flying:
        draw.line((*place_of(flight.giver), *place_of(flight.taker)), fill=LINE)
    for peer in range(PEERS):
        _draw_peer(draw, peer, have[peer])
    for flight in flying:
        _draw_flight(draw, flight, now)
    complete = sum(len(each) == PIECES for each in have)
    said = (
        "one has the whole picture"
        if complete == 1 and not flying and now < FIRST
        else f"{complete} of {PEERS} have it all"
    )
    draw.text((WIDTH / 2, HEIGHT / 2 - 4), said, fill=TEXT, font=font, anchor="mm")
    light = min(1.0, now / 0.6, max(0.0, (SECONDS - now) / 0.8))
    return Image.blend(Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND), image, light)


def _draw_peer(draw: ImageDraw.ImageDraw, peer: int, pieces: set[int]) -> None:
    x, y = place_of(peer)
    left, top = round(x - COLUMNS * CELL / 2), round(y - ROWS * CELL / 2)
    edge = TEXT if len(pieces) == PIECES else LINE
    draw.rectangle((left - 3, top - 3, left + COLUMNS * CELL + 2, top + ROWS * CELL + 2), fill=EMPTY, outline=edge)
    for piece in pieces:
        column, row = piece % COLUMNS, piece // COLUMNS
        at = left + column * CELL, top + row * CELL
        draw.rectangle((*at, at[0] + CELL - 1, at[1] + CELL - 1), fill=colour_of(piece))


def _draw_flight(draw: ImageDraw.ImageDraw, flight: Flight, now: float) -> None:
    done = (now - flight.begins) / (flight.ends - flight.begins)
    done = done * done * (3 - 2 * done)  # begins and ends gently
    (x, y), (to_x, to_y) = place_of(flight.giver), place_of(flight.taker)
    x, y = x + (to_x - x) * done, y + (to_y - y) * done
    draw.rectangle((x - 7, y - 7, x + 7, y + 7), fill=colour_of(flight.piece), outline=BACKGROUND)


def sound(flights: list[Flight]) -> NDArray[np.int16]:
    """Return two channels of plucked strings, one string for each peer, heard from where it stands."""
    length = RATE * SECONDS
    both = np.zeros((length, 2))
    strings = [_pluck(note, peer) for peer, note in enumerate(NOTES)]
    for flight in flights:
        start = round(flight.ends * RATE)
        heard = strings[flight.taker][: length - start]
        right = place_of(flight.taker)[0] / WIDTH
        both[start : start + len(heard), 0] += heard * math.cos(right * math.pi / 2)
        both[start : start + len(heard), 1] += heard * math.sin(right * math.pi / 2)
    both *= np.clip((length - np.arange(length)) / RATE, 0, 1)[:, None]  # the last second fades
    return np.asarray(both / np.abs(both).max() * 20_000, dtype=np.int16)


def _pluck(note: float, seed: int) -> NDArray[np.float64]:
    """Pluck a string (K. Karplus, A. Strong, 1983): noise that goes round and is averaged each time."""
    ring = np.random.default_rng(seed).uniform(-1, 1, round(RATE / note))
    ring = (ring + np.roll(ring, 1) + np.roll(ring, 2)) / 3  # softer
    rounds = []
    for _ in range(round(1.6 * note)):
        rounds.append(ring)
        ring = 0.4985 * (ring + np.roll(ring, 1))
    return np.concatenate(rounds)


def main() -> None:
    """Write the sound, then the frames."""
    flights = simulate()
    if flights[-1].ends > LAST:
        raise SystemExit(f"it takes {flights[-1].ends:.1f} s until all have everything; there is time for {LAST}")
    with wave.open(str(Path(sys.argv[1]) / "sound.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound(flights).tobytes())
    font = ImageFont.load_default(17)
    for number in range(FPS * SECONDS):
        sys.stdout.buffer.write(frame_at(number / FPS, flights, font).tobytes())


if __name__ == "__main__":
    main()
