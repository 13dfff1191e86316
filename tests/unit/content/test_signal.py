"""An event that is cheap while nobody waits."""

from __future__ import annotations

import asyncio

from peerage.content.signal import Signal


async def test_it_behaves_as_an_event() -> None:
    signal = Signal()
    assert not signal.is_set()
    waiting = [asyncio.create_task(signal.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert signal._event is not None
    signal.set()
    signal.clear()  # who waited before is woken all the same
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    assert signal._event is None
    late = asyncio.create_task(signal.wait())
    await asyncio.sleep(0)
    assert not late.done()
    signal.set()
    await late
    await signal.wait()
    assert signal.is_set()
    assert signal._event is None
