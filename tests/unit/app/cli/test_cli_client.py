import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from peerage.app.api.models import HitFound, Identity, SearchEnded, Share, ShareBody, ShareFailed
from peerage.app.cli.client import Client, quoted
from peerage.errors import AddressError, LinkError, PeerageError, QueryError

END = '{"event":"end","hits":0,"messages":3,"bytes":9,"seconds":0.5,"reason":"timeout"}'


class Node:
    """A local API that gives prepared answers over real HTTP, and remembers what it was asked."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("content-length", 0))
                node.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                status, chunks = node.answers[self.path.split("?")[0]]
                self.send_response(status)
                self.end_headers()
                for chunk in chunks:
                    self.wfile.write(chunk)
                    self.wfile.flush()

            do_GET = do_POST = do_PUT = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.client = Client(f"127.0.0.1:{self.server.server_port}", "secret")

    def says(self, route, *chunks, status=200):
        self.answers[f"/api/v1/{route}"] = (status, [c if isinstance(c, bytes) else c.encode() for c in chunks])

    def close(self):
        self.client.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def node():
    node = Node()
    yield node
    node.close()


def problem(error, kind, **more):
    return json.dumps({"error": error, "kind": kind, **more})


def test_an_answer_becomes_its_struct_and_the_token_goes_along(node):
    node.says("id", '{"peer_id":"p","public_key":"k","new_field":1}')
    assert node.client.get("id", Identity) == Identity(peer_id="p", public_key="k")
    assert node.asked[0][2]["authorization"] == "Bearer secret"


def test_a_proxy_in_the_environment_gets_nothing(node, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    node.says("id", '{"peer_id":"p","public_key":"k"}')
    with Client(f"127.0.0.1:{node.server.server_port}", "secret") as client:
        assert client.get("id", Identity).peer_id == "p"


def test_a_stream_is_cut_at_newlines_only(node):
    failed = '{"event":"failed","path":"a\u2028b\x85c","error":"é"}\n'.encode()
    node.says("shares", failed[:21], failed[21:58], failed[58:], "\n\n", '{"event":"failed","path":"d","error":"e"}')
    events = list(node.client.shares(ShareBody(paths=["/x"])))
    assert events == [ShareFailed(path="a\u2028b\x85c", error="é"), ShareFailed(path="d", error="e")]
    assert json.loads(node.asked[0][3]) == {"paths": ["/x"], "visibility": "public"}


def test_a_search_sends_its_text_as_it_is(node):
    node.says("search", END + "\n")
    (event,) = node.client.search("a&b=c ü+", limit=5, timeout=1.5)
    assert isinstance(event, SearchEnded)
    assert not isinstance(event, HitFound)
    assert node.asked[0][1] == "/api/v1/search?q=a%26b%3Dc+%C3%BC%2B&limit=5&timeout=1.5"


def test_a_query_error_points_at_the_character(node):
    node.says("search", problem("a word is missing\n  a OR\n     ^", "QueryError", position=4), status=400)
    with pytest.raises(QueryError) as caught:
        list(node.client.search("a OR"))
    assert str(caught.value) == "a word is missing\n  a OR\n      ^"


def test_problems_become_errors_of_one_line(node):
    node.says("link", problem("no share is called x", "LocalError"), status=404)
    with pytest.raises(PeerageError, match="no share is called x"):
        node.client.get("link", Share)
    node.says("link", problem("'x' is not a link", "AddressError"), status=400)
    with pytest.raises(AddressError, match="is not a link"):
        node.client.get("link", Share)


def test_a_stream_that_breaks_off_is_an_error(node):
    node.says("transfers/x/progress", '{"event":"problem","error":"the disk is full","kind":"DiskFullError"}\n')
    with pytest.raises(PeerageError, match="the disk is full"):
        list(node.client.progress("x"))


@pytest.mark.parametrize(("status", "body"), [(500, "<html>"), (200, "<html>"), (200, '{"peer_id":1}'), (404, "{}")])
def test_answers_that_are_none_are_errors_not_crashes(node, status, body):
    node.says("id", body, status=status)
    with pytest.raises(PeerageError, match="version"):
        node.client.get("id", Identity)


def test_a_node_that_has_gone_is_said_to_have(node):
    with Client("127.0.0.1:1", "secret") as client, pytest.raises(LinkError, match="peerage up"):
        client.get("id", Identity)


def test_names_cannot_leave_their_place_in_a_route():
    assert quoted("../status?x=1#y") == "..%2Fstatus%3Fx%3D1%23y"
