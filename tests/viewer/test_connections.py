"""What a client may do to the server: little. Everything here is said over plain sockets."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from zero1toa.viewer import ViewerServer, connections


def said(server: ViewerServer, raw: bytes, *, close: bool = False, patience: float = 10.0) -> bytes:
    """All that the server answers to these bytes until it closes."""
    with socket.create_connection((server.host, server.port), timeout=patience) as connection:
        with contextlib.suppress(ConnectionError):  # it may have closed already
            connection.sendall(raw)
            if close:
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while block := connection.recv(1 << 16):
                answer += block
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def works(server: ViewerServer) -> bool:
    return status(said(server, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 150 + b"\r\n",
    ],
)
def test_long_requests_are_refused(server, raw):
    assert status(said(server, raw)) in (0, 414, 431)
    assert works(server)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"<script>alert(1)</script>\r\n\r\n",
        b"\r\n" * 50,
        bytes(1000),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"<b> / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET //[ HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /\u202e HTTP/1.1\r\nHost: ä\r\n\r\n".encode(),
        b"GET / HTTP/1.1\r\n\xff: \xff\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_no_page_and_says_nothing_back(server, raw, capfd):
    answer = said(server, raw, close=True)
    assert status(answer) != 200 if answer.startswith(b"HTTP/1.1") else len(answer) < 200
    assert b"<" not in answer and b"Traceback" not in answer
    if answer.startswith(b"HTTP/1.1"):
        assert b"Content-Security-Policy: default-src 'none'" in answer and b"text/html" not in answer
    assert works(server)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("header", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked", b"Content-Length: x"])
def test_what_is_sent_along_is_not_read(server, header):
    raw = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + header + b"\r\n\r\n"
    smuggled = b"GET /avatar.glb HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = said(server, raw + smuggled)
    assert status(answer) == 413
    assert answer.count(b"HTTP/1.1") == 1


def test_several_requests_come_through_one_connection(server):
    raw = b"GET /licences.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = said(server, raw + raw + b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_a_request_that_never_ends_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\n")
            while time.monotonic() - start < 8 and not closed(connection):
                connection.sendall(b"X: a\r\n")  # never silent, never done
        assert closed(connection)
    assert works(server)


def closed(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_only_so_many_connections_are_held(server, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 60.0)
    with contextlib.ExitStack() as held:
        idle = [
            held.enter_context(socket.create_connection((server.host, server.port), timeout=10))
            for _ in range(connections.MOST_CONNECTIONS + 8)
        ]
        deadline = time.monotonic() + 20
        while (left := sum(not closed(one) for one in idle)) > connections.MOST_CONNECTIONS:
            assert time.monotonic() < deadline
        assert left > 0
    deadline = time.monotonic() + 20
    while not works(server):  # they are let go when their clients are
        assert time.monotonic() < deadline
        time.sleep(0.05)
