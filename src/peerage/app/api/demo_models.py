"""What the local API gives about the demo network; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Literal

from peerage.app.api.models import Answer

DemoState = Literal["off", "starting", "running", "failed"]


class Demo(Answer, frozen=True):
    """The demo network as it stands; `searches` are words that find something in it."""

    state: DemoState
    peers: int  # that this node is linked with
    searches: list[str]
    error: str = ""  # why it has failed
