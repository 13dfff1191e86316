"""A complete peer that answers, and one that asks it: python examples/echo.py"""

import asyncio

from peerage import Request, open_peer


class Echo(Request["Echo"], frozen=True):
    code = b"ECHO"
    text: str


async def main() -> None:
    async with open_peer() as server, open_peer() as client:
        server.add_handler(Echo, lambda _connection, message: Echo(message.text.upper()))
        answer = await client.ask(server.addresses[0], Echo("hello, peer"))
        print(answer.text)


asyncio.run(main())
