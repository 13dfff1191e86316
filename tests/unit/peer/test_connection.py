"""A connection: who breaks the rules loses that link and no other; requests end exactly once; memory stays bounded."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peer_world import HELLO, LATENCY, CountTo, Fetch, Heard, Note, Number, Rogue, Say, Target, World, virtual

from peerage.errors import LimitError, LinkLostError, LocalError, ProtocolError, RefusedError, RequestTimeoutError
from peerage.limits import MAX_BULK_PAYLOAD, MAX_CONTROL_PAYLOAD, MAX_HELD_REQUESTS, MAX_PARTS, Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Bulk, Later
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind, Ping
from peerage.transport.memory_link import MemoryLink
from peerage.wire.frame import BULK, encode_header
from peerage.wire.message import ERROR, REPLY, ErrorCode, Refusal, append_message, encode

ONE_READ = 256 * 1024 // 15 * (15 + 256)  # memory of the smallest requests that come in one read


def echo(_connection: PeerConnection, message: Say) -> Heard:
    return Heard(message.text)


def frame(code: bytes, tag: int, payload: bytes) -> bytes:
    return encode_header(code, len(payload), tag) + payload


def reply(tag: int, message: object) -> bytes:
    return frame(REPLY, tag, msgspec.msgpack.encode(message))


async def settle() -> None:
    await asyncio.sleep(1)


async def impostor(world: World) -> tuple[PeerConnection, Rogue]:
    """Return our end of a link, and the other end, which answers as the test says."""
    peer = await world.peer("peer")
    rogue = await world.rogue(peer)
    await settle()
    [connection] = peer.neighbours()
    return connection, rogue


# --- breaking the rules ---------------------------------------------------------------------------------------------


@virtual
@pytest.mark.parametrize(
    "bytes_",
    [
        frame(b"SAY_", 1, b"\xc1"),  # never used in MessagePack
        frame(b"SAY_", 1, b""),
        frame(b"SAY_", 1, b"\x91\x01"),  # a number where a text belongs
        frame(b"SAY_", 1, b"\x91\xa2\xff\xff"),  # text that is no UTF-8
        frame(b"SAY_", 1, b"\x91" * 60_000),
        frame(ERROR, 1, b"\x90"),
        frame(b"PING", 1, b"\x00"),
        encode_header(b"EVIL", MAX_CONTROL_PAYLOAD + 1, 1),
        encode_header(BULK, MAX_BULK_PAYLOAD + 1, 1),
    ],
)
async def test_breaking_the_rules_closes_only_that_link(world: World, bytes_: bytes) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, echo)
    rogue = await world.rogue(server)
    await settle()
    rogue.write(bytes_)
    await rogue.lost
    assert server.metrics.value("protocol_violations") == 1
    assert [each.peer_id for each in server.neighbours()] == [connection.local_id]
    assert await connection.request(Say("still here")) == Heard("still here")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_never_harms_the_peer(data: bytes) -> None:
    @virtual
    async def run(world: World) -> None:
        server, _client, connection = await world.pair()
        server.add_handler(Say, echo)
        for hello in (True, False):
            rogue = await world.rogue(server, host=f"rogue{hello}", hello=hello)
            rogue.write(data)
        assert await connection.request(Say("still here")) == Heard("still here")

    run()


@virtual
async def test_the_first_message_is_a_hello(world: World) -> None:
    server = await world.peer("server")
    rogue = await world.rogue(server, hello=False)
    rogue.say(Ping(), 1)
    await rogue.lost
    assert server.metrics.value("protocol_violations") == 1
    assert server.connections() == []


@virtual
async def test_another_version_is_told_apart(world: World) -> None:
    server, other = await world.peer("server"), await world.peer("other")
    rogue = await world.rogue(server, hello=False)
    rogue.say(Hello(PROTOCOL_VERSION + 1, LinkKind.TALK, "from the future"))
    await rogue.lost
    assert server.connections() == []
    assert (await other.connect(server.addresses[0])).hello.version == PROTOCOL_VERSION


@virtual
async def test_unknown_messages_are_counted_and_ignored(world: World) -> None:
    server = await world.peer("server")
    rogue = await world.rogue(server)
    rogue.write(frame(b"WHAT", 0, b"anything"))
    rogue.write(frame(b"WHAT", 9, b"anything"))
    refused = await rogue.answer(ERROR)
    assert refused.tag == 9
    assert server.metrics.value("messages_unknown") == 2
    rogue.say(Ping(), 10)
    assert (await rogue.answer(REPLY)).tag == 10


@virtual
async def test_nothing_is_handled_before_the_services_know_the_neighbour(world: World) -> None:
    server = await world.peer("server")
    seen: list[str] = []

    def note(connection: PeerConnection, message: Note) -> None:
        assert server.connection_to(connection.peer_id) is connection
        assert connection.kind is LinkKind.BULK or connection.hello == HELLO
        seen.append(message.text)

    server.add_handler(Note, note)
    rogue = await world.rogue(server, hello=False)
    rogue.write(encode(HELLO) + encode(Note("in the same packet")))
    await settle()
    assert seen == ["in the same packet"]


@virtual
async def test_quit_is_an_orderly_end(world: World) -> None:
    server, client, connection = await world.pair()
    waiting = asyncio.create_task(connection.wait_closed())
    await server.stop()
    assert isinstance(await waiting, LinkLostError)
    assert not client.metrics.value("protocol_violations")


# --- replies ---------------------------------------------------------------------------------------------------------


@virtual
async def test_a_deadline(world: World) -> None:
    connection, rogue = await impostor(world)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(RequestTimeoutError, match="no answer came in time"):
        await connection.request(Say("?"), timeout=2.0)
    assert 2.0 <= loop.time() - began < 2.2
    assert connection.waiting == 0
    assert connection.is_open
    assert rogue.frames[-1].code == Say.code


@virtual
async def test_deadlines_of_many_requests(world: World) -> None:
    connection, _rogue = await impostor(world)
    loop = asyncio.get_running_loop()
    ended: dict[float, float] = {}
    began = loop.time()

    async def ask(timeout: float) -> None:
        with pytest.raises(RequestTimeoutError):
            await connection.request(Say("?"), timeout)
        ended[timeout] = loop.time() - began

    timeouts = (5.0, 1.0, 3.0, 2.0, 4.0)
    await asyncio.gather(*(ask(timeout) for timeout in timeouts))
    assert list(ended) == sorted(timeouts)
    assert all(timeout <= took < timeout + 0.2 for timeout, took in ended.items())


@virtual
async def test_late_and_unasked_replies_are_dropped(world: World) -> None:
    connection, rogue = await impostor(world)
    with pytest.raises(RequestTimeoutError):
        await connection.request(Say("?"), timeout=1.0)
    late = rogue.frames[-1].tag
    for tag in (late, 0, 7777):
        rogue.write(reply(tag, ["late"]))
        rogue.write(reply(tag, "not even well-formed"))
        rogue.write(frame(ERROR, tag, msgspec.msgpack.encode(["limit", "late"])))
        rogue.write(frame(BULK, tag, b"late bytes"))
    await settle()
    assert connection.is_open
    asking = asyncio.create_task(connection.request(Say("again")))
    await settle()
    rogue.write(reply(rogue.frames[-1].tag, ["in time"]))
    assert await asking == Heard("in time")


@virtual
async def test_a_cancelled_request_does_not_disturb_the_next(world: World) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, echo)
    first = asyncio.create_task(connection.request(Say("one")))
    await asyncio.sleep(LATENCY / 2)
    first.cancel()
    assert await connection.request(Say("two")) == Heard("two")
    assert connection.waiting == 0


@virtual
async def test_a_broken_reply_fails_its_request_and_the_link(world: World) -> None:
    connection, rogue = await impostor(world)
    asking = asyncio.create_task(connection.request(Say("?")))
    await settle()
    rogue.write(reply(rogue.frames[-1].tag, [42]))
    with pytest.raises(ProtocolError):
        await asking
    assert not connection.is_open


@virtual
async def test_a_refused_request(world: World) -> None:
    connection, rogue = await impostor(world)
    for code, kind in ((ErrorCode.LIMIT, LimitError), (ErrorCode.FORBIDDEN, RefusedError)):
        asking = asyncio.create_task(connection.request(Say("?")))
        await settle()
        rogue.say(Refusal(code, "for a reason"), rogue.frames[-1].tag)
        with pytest.raises(kind, match="for a reason"):
            await asking
    assert connection.is_open


@virtual
async def test_a_lost_link_ends_every_request(world: World) -> None:
    connection, rogue = await impostor(world)
    target = Target(100)
    asking = [
        asyncio.create_task(connection.request(Say("?"))),
        asyncio.create_task(connection.request_all([Say("?")] * 3)),
        asyncio.create_task(anext(connection.request_parts(CountTo(3)))),  # type: ignore[arg-type]
        connection.post_bulk(Fetch(100), target),
    ]
    await settle()
    rogue.link.abort()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LinkLostError] * 4
    assert target.allocated == 0
    with pytest.raises(LinkLostError):
        connection.send(Note("?"))
    with pytest.raises(LinkLostError):
        await connection.drain()


@virtual
async def test_request_all_keeps_the_order(world: World) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, echo)
    texts = [str(number) for number in range(20_000)]
    answers = await connection.request_all([Say(text) for text in texts])
    assert [answer.text for answer in answers] == texts
    assert await connection.request_all([]) == []


@virtual
async def test_request_all_of_large_messages_waits_for_room(world: World) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, lambda _connection, message: Heard(str(len(message.text))))
    answers = await connection.request_all([Say("x" * 60_000)] * 300)  # 18 MB, more than may be unsent
    assert answers == [Heard("60000")] * 300


@virtual
async def test_request_all_fails_with_the_first(world: World) -> None:
    server, _client, connection = await world.pair()

    def fussy(_connection: PeerConnection, message: Say) -> Heard:
        if message.text == "500":
            raise RefusedError("forbidden", "not that one")
        return Heard(message.text)

    server.add_handler(Say, fussy)
    with pytest.raises(RefusedError, match="not that one"):
        await connection.request_all([Say(str(number)) for number in range(3000)])
    await settle()
    assert connection.waiting == 0


@virtual
async def test_answers_in_parts_without_end_break_the_rules(world: World) -> None:
    connection, rogue = await impostor(world)
    parts = connection.request_parts(CountTo(1))
    first = asyncio.create_task(anext(parts))  # type: ignore[arg-type]
    await settle()
    tag = rogue.frames[-1].tag
    for value in range(MAX_PARTS + 1):
        rogue.write(reply(tag, [value]))
    assert await first == Number(0)
    with pytest.raises(ProtocolError, match="parts"):
        async for _part in parts:
            pass
    assert not connection.is_open


@virtual
async def test_an_answer_that_comes_later(world: World) -> None:
    server, _client, connection = await world.pair()
    waiting: list[Later] = []

    def queue(_connection: PeerConnection, _message: Say) -> Later:
        waiting.append(Later())
        return waiting[-1]

    server.add_handler(Say, queue)
    asking = [asyncio.create_task(connection.request(Say("?"))) for _ in range(2)]
    await settle()
    waiting[1].refuse(Refusal(ErrorCode.LIMIT, "too many"))
    waiting[0].answer(Heard("at last"))
    assert await asking[0] == Heard("at last")
    with pytest.raises(LimitError, match="too many"):
        await asking[1]
    connection.close()
    await settle()
    waiting[0].answer(Heard("nobody is there any more"))


# --- bulk ------------------------------------------------------------------------------------------------------------


@virtual
async def test_bulk_is_received_in_place(world: World) -> None:
    server, _client, connection = await world.pair()
    data = bytes(range(256)) * 4096
    server.add_handler(Fetch, lambda _connection, message: Bulk(memoryview(data)[: message.length]))
    target = Target(len(data))
    order = connection.post_bulk(Fetch(len(data)), target)
    assert target.allocated == 0  # what is only on order costs nothing
    buffer = await order
    assert target.buffer == data
    assert buffer.obj is target.buffer
    assert (target.allocated, target.came) == (1, len(data))


@virtual
async def test_bulk_of_another_length_breaks_the_rules(world: World) -> None:
    connection, rogue = await impostor(world)
    target = Target(100)
    order = connection.post_bulk(Fetch(100), target)
    await settle()
    rogue.write(frame(BULK, rogue.frames[-1].tag, bytes(99)))
    with pytest.raises(ProtocolError, match="99 bytes came where 100 were asked for"):
        await order
    assert target.allocated == 0
    assert not connection.is_open


@virtual
@pytest.mark.parametrize("payload", [b"", b"\x91\xa1x"])
async def test_a_message_where_bytes_were_asked_for_breaks_the_rules(world: World, payload: bytes) -> None:
    connection, rogue = await impostor(world)
    order = connection.post_bulk(Fetch(100), Target(100))
    await settle()
    rogue.write(frame(REPLY, rogue.frames[-1].tag, payload))
    with pytest.raises(ProtocolError):
        await order


@virtual
async def test_bytes_where_a_message_was_asked_for_are_skipped(world: World) -> None:
    connection, rogue = await impostor(world)
    asking = asyncio.create_task(connection.request(Say("?")))
    await settle()
    tag = rogue.frames[-1].tag
    rogue.write(frame(BULK, tag, bytes(1000)) + reply(tag, ["hello"]))
    assert await asking == Heard("hello")


@virtual
async def test_the_deadline_of_bulk_moves_with_its_progress(world: World) -> None:
    connection, rogue = await impostor(world)
    target = Target(100)
    order = connection.post_bulk(Fetch(100), target, timeout=2.0)
    await settle()
    rogue.write(encode_header(BULK, 100, rogue.frames[-1].tag))
    for _ in range(100):  # for 100 seconds in all
        await asyncio.sleep(1)
        rogue.write(b"x")
    assert bytes(await order) == b"x" * 100


@virtual
async def test_bulk_that_stops_coming_is_late(world: World) -> None:
    connection, rogue = await impostor(world)
    order = connection.post_bulk(Fetch(100), Target(100), timeout=2.0)
    await settle()
    rogue.write(encode_header(BULK, 100, rogue.frames[-1].tag) + bytes(99))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(RequestTimeoutError):
        await order
    assert loop.time() - began < 2.5
    asking = asyncio.create_task(connection.request(Say("?")))
    rogue.write(b"x")  # the rest comes too late, and what follows is still understood
    await settle()
    rogue.write(reply(rogue.frames[-1].tag, ["hello"]))
    assert await asking == Heard("hello")


@virtual
async def test_bulk_that_nobody_wants_any_more_is_skipped(world: World) -> None:
    connection, rogue = await impostor(world)
    target = Target(1000)
    order = connection.post_bulk(Fetch(1000), target)
    await settle()
    order.cancel()
    rogue.write(frame(BULK, rogue.frames[-1].tag, b"x" * 1000))
    await settle()
    assert target.allocated == 0
    assert connection.is_open


@virtual
async def test_a_piece_that_is_too_large_is_not_sent(world: World) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Fetch, lambda _connection, _message: Bulk(bytes(MAX_BULK_PAYLOAD + 1)))
    with pytest.raises(RefusedError, match="a piece of"):
        await connection.request(Fetch(1))
    assert connection.is_open


# --- bounds -----------------------------------------------------------------------------------------------------------


@virtual
async def test_tasks_per_link(world: World) -> None:
    server = await world.peer("server", limits=Limits(tasks_per_link=3))
    client, other = world.silent_peer("client"), world.silent_peer("other")
    go_on = asyncio.Event()

    async def wait(_connection: PeerConnection, message: Say) -> Heard:
        await go_on.wait()
        return Heard(message.text)

    server.add_handler(Say, wait)
    connection = await client.connect(server.addresses[0])
    asking = [asyncio.create_task(connection.request(Say(str(number)))) for number in range(5)]
    await settle()
    for late in asking[3:]:
        with pytest.raises(LimitError, match="tasks_per_link is 3"):
            await late
    assert server.metrics.value("requests_refused", "tasks_per_link") == 2
    elsewhere = asyncio.create_task(client_request(other, server.addresses[0]))  # others have room of their own
    await settle()
    go_on.set()
    assert await asyncio.gather(*asking[:3]) == [Heard("0"), Heard("1"), Heard("2")]
    assert await elsewhere == Heard("elsewhere")
    assert await connection.request(Say("room again")) == Heard("room again")


async def client_request(peer, address) -> Heard:
    return await peer.ask(address, Say("elsewhere"))


@virtual
async def test_tasks_in_all(world: World) -> None:
    server = await world.peer("server", limits=Limits(tasks=4, tasks_per_link=64))
    client = world.silent_peer("client")
    server.add_handler(Say, lambda _connection, _message: Heard("plain"))

    async def wait(_connection: PeerConnection, _message: CountTo) -> Number:
        await asyncio.sleep(5)
        return Number(1)

    server.add_handler(CountTo, wait)
    connection = await client.connect(server.addresses[0])
    outcomes = await asyncio.gather(*[connection.request(CountTo(1)) for _ in range(6)], return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LimitError"] * 2 + ["Number"] * 4
    assert server.metrics.value("requests_refused", "tasks") == 2
    assert await connection.request(Say("?")) == Heard("plain")


@virtual
async def test_the_work_for_an_asker_who_left_ends(world: World) -> None:
    server, client, connection = await world.pair()
    ended: list[str] = []

    async def slow(_connection: PeerConnection, message: Say) -> Heard:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(message.text)
        return Heard("never")

    async def note(_connection: PeerConnection, message: Note) -> None:
        await asyncio.sleep(5)
        ended.append(message.text)

    server.add_handler(Say, slow)
    server.add_handler(Note, note)
    asking = asyncio.create_task(connection.request(Say("request")))
    connection.send(Note("one way"))
    await settle()
    await client.stop()
    with pytest.raises(LinkLostError):
        await asking
    await settle()
    assert ended == ["request"]
    await asyncio.sleep(10)
    assert ended == ["request", "one way"]  # a message that wants no answer is not taken back


@virtual
async def test_requests_per_link(world: World) -> None:
    server = await world.peer("server")
    client = world.silent_peer("client", limits=Limits(requests_per_link=10))
    server.add_handler(Say, echo)
    connection = await client.connect(server.addresses[0])
    asking = [asyncio.create_task(connection.request(Say(str(number)))) for number in range(11)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Heard] * 10 + [LimitError]
    refused = outcomes[-1]
    assert isinstance(refused, LimitError)
    assert (refused.limit, refused.whose) == ("requests_per_link", "ours")
    assert await connection.request(Say("room again")) == Heard("room again")


@virtual
async def test_the_write_buffer_is_bounded(world: World) -> None:
    peer = await world.peer("peer", limits=Limits(write_buffer=2 << 20))
    rogue = await world.rogue(peer)
    await settle()
    [connection] = peer.neighbours()
    rogue.link.pause_reading()  # the other side takes nothing any more

    def flood() -> None:
        for _ in range(10_000):
            connection.send(Note("x" * 10_000))

    with pytest.raises(LimitError, match="reads too slowly") as caught:
        flood()
    assert caught.value.limit == "write_buffer"
    assert connection.unsent < 4 << 20
    assert peer.metrics.value("sends_refused", "write_buffer") == 1
    rogue.link.resume_reading()
    await connection.drain()
    connection.send(Note("room again"))


@virtual
async def test_requests_of_a_peer_that_does_not_read_are_held_back(world: World) -> None:
    server = await world.peer("server")
    asked = 0

    def generous(_connection: PeerConnection, _message: Say) -> Heard:
        nonlocal asked
        asked += 1
        return Heard("x" * 30_000)

    server.add_handler(Say, generous)
    rogue = await world.rogue(server)
    await settle()
    [connection] = server.neighbours()
    rogue.link.pause_reading()
    burst = bytearray()
    for tag in range(1, 6001):
        append_message(burst, Say.code, tag, Say("?"))
    rogue.write(bytes(burst))  # 90 KB of questions, 180 MB of answers
    await asyncio.sleep(60)
    assert asked < 200
    assert connection.unsent < 4 << 20
    assert connection._held_bytes < MAX_HELD_REQUESTS + ONE_READ
    rogue.link.resume_reading()
    await asyncio.sleep(600)
    assert [each.tag for each in rogue.frames if each.code == REPLY] == list(range(1, 6001))  # none lost, all in order
    assert connection.is_open


@virtual
async def test_replies_are_taken_while_requests_are_held_back(world: World) -> None:
    """Two peers that flood each other with questions must not wait for each other for ever."""
    one, other = await world.peer("one"), await world.peer("other")
    for peer in (one, other):
        peer.add_handler(Say, lambda _connection, _message: Heard("y" * 20_000))
    here = await one.connect(other.addresses[0])
    await settle()
    [there] = other.neighbours()
    questions = [Say("x" * 100)] * 3000
    answers = await asyncio.gather(here.request_all(questions, 1e5), there.request_all(questions, 1e5))
    assert [len(each) for each in answers] == [3000, 3000]


@virtual
async def test_a_message_that_is_too_large_is_our_own_mistake(world: World) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, echo)
    with pytest.raises(LocalError, match="send it in parts"):
        await connection.request(Say("x" * 70_000))
    with pytest.raises(LocalError):
        connection.send(Note("\ud800"))
    assert connection.waiting == 0
    assert await connection.request(Say("fine")) == Heard("fine")


@virtual
async def test_parts_for_nobody_are_not_made(world: World) -> None:
    server = await world.peer("server")
    began: list[int] = []

    async def count(_connection: PeerConnection, message: CountTo):
        began.append(message.limit)
        yield Number(1)

    server.add_handler(CountTo, count)
    rogue = await world.rogue(server)
    rogue.say(CountTo(5), 0)
    await settle()
    assert began == []
    assert server.metrics.value("requests_refused", "no_tag") == 1


@virtual
async def test_one_read_is_answered_by_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await world.peer("server")
    server.add_handler(Say, echo)
    rogue = await world.rogue(server)
    await settle()
    writers: list[str] = []
    write = MemoryLink.write

    def counted(link: MemoryLink, data: bytes) -> None:
        writers.append(link.host.name)
        write(link, data)

    monkeypatch.setattr(MemoryLink, "write", counted)
    rogue.write(b"".join(encode(Say(str(tag)), tag) for tag in range(1, 101)))
    await settle()
    assert [each.tag for each in rogue.frames if each.code == REPLY] == list(range(1, 101))
    assert writers == ["rogue", "server"]
