"""What a node and the process of its demo network say to each other: one line of JSON each way, over pipes.

Invariant: the seed of the network goes through a pipe and nowhere else; no file and no command line has it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_LINE = 64 * 1024

_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Which network to be in, who alone may come, where the files go, and what they are stamped with."""

    network: _Text
    seed: bytes
    private: bool
    owner: bytes
    folder: _Text
    stamp: _Text


class DemoPeer(msgspec.Struct, frozen=True, kw_only=True):
    """One node that is up: its peer id, and where it listens."""

    peer_id: bytes
    host: str
    port: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All nodes are up and share what they have; or why they do not."""

    peers: list[DemoPeer] = []
    contents: list[bytes] = []
    error: str = ""
