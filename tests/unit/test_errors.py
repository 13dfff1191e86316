"""Errors: one tree, each with a sentence for people."""

from __future__ import annotations

import inspect

import pytest

from peerage import errors
from peerage.errors import LimitError, LinkError, LocalError, PeerageError, QueryError, RefusedError, RemoteError

KINDS = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_catches_the_root_has_caught_them_all(kind: type[Exception]) -> None:
    assert issubclass(kind, PeerageError)
    assert kind.__doc__
    assert kind.__name__.endswith("Error")


def test_whose_fault_it_is_can_be_told() -> None:
    assert not issubclass(RemoteError, LocalError | LinkError)
    assert issubclass(RefusedError, RemoteError)
    assert issubclass(errors.WrongPeerError, LinkError)


def test_a_query_error_points_at_the_character() -> None:
    error = QueryError("no such field", "size:1 colour:red", 7)
    assert str(error) == "no such field\n  size:1 colour:red\n         ^"
    assert (error.reason, error.text, error.position) == ("no such field", "size:1 colour:red", 7)


def test_a_limit_error_names_the_limit_and_whose_it_is() -> None:
    error = LimitError("connections", "ours", "too many links")
    assert (error.limit, error.whose, str(error)) == ("connections", "ours", "too many links")


def test_a_refusal_keeps_its_code() -> None:
    error = RefusedError("not-found", "no such thing")
    assert (error.code, error.reason, str(error)) == ("not-found", "no such thing", "no such thing")
