"""Connections that cost little, whatever comes through them: few at a time, short requests, and no waiting for ever."""

from __future__ import annotations

import io
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOST_CONNECTIONS = 64
"""At a time; a browser opens six. More are closed unheard."""

REQUEST_SECONDS = 15.0
"""In which a request must be there to its last byte; also how long a connection may stay silent between two."""

SEND_SECONDS = 30.0
"""In which a block of an answer must have been taken."""

MOST_REQUEST_BYTES = 32 << 10
"""Of a request with all its headers. Browsers send about 1 kB; cookies of other programs on this machine add some."""


class BoundedServer(ThreadingHTTPServer):
    """A thread for each connection, up to `MOST_CONNECTIONS`."""

    daemon_threads = True

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*arguments, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except Exception:
            self._free.release()  # no thread could be started
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: whoever is at the other end must not write on the user's terminal."""


class BoundedHandler(BaseHTTPRequestHandler):
    """Reads requests within their limits."""

    _reader: _RequestReader

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(SEND_SECONDS)
        self._reader = _RequestReader(self.connection)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        self._reader.begin()
        try:
            super().handle_one_request()
        except _TooLong:
            self.requestline = self.command = ""
            self.request_version = self.protocol_version
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except OSError:  # the other end went away, or takes too long
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is the user's."""


class _TooLong(Exception):
    """A request of more than `MOST_REQUEST_BYTES`."""


class _RequestReader(io.RawIOBase):
    """The bytes of a connection, within the time and number that one request may take."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.begin()

    def begin(self) -> None:
        """A new request."""
        self._deadline = time.monotonic() + REQUEST_SECONDS
        self._left = MOST_REQUEST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise _TooLong
        self._connection.settimeout(seconds)
        try:
            count = self._connection.recv_into(memoryview(buffer)[: self._left])
        finally:
            self._connection.settimeout(SEND_SECONDS)
        self._left -= count
        return count
