"""A small server for one avatar: it knows a handful of addresses by name and never turns an address into a path."""

from __future__ import annotations

import gzip
import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zero1toa._version import __version__
from zero1toa.errors import InputError, OutputError
from zero1toa.viewer.motions import packed_motions
from zero1toa.viewer.page import CLIENT_FILES, client_file

LOOPBACK = "127.0.0.1"
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

_TRACKER_FILES = {
    "bundle": ("vision_bundle.mjs", "text/javascript"),
    "loader": ("vision_wasm_internal.js", "text/javascript"),
    "binary": ("vision_wasm_internal.wasm", "application/wasm"),
    "model": ("face_landmarker.task", "application/octet-stream"),
}
"""What the webcam drive needs: three files of the npm package @mediapipe/tasks-vision, and the model."""

_HEADERS = {
    # Spark compiles WebAssembly and starts workers from blobs; a chosen tracker is imported from one.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
        "style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

_COMPRESSED_FROM = 1024  # bytes
_GZIP_LEVEL = 5


@dataclass(frozen=True)
class _Page:
    content: bytes
    kind: str
    gzipped: bytes | None  # the same, compressed, where that pays


class ViewerServer:
    """Serves the viewer and one avatar until it is closed. The avatar is read once, at the beginning."""

    def __init__(
        self, avatar: bytes, name: str, *, host: str = LOOPBACK, port: int = 0, tracker: Path | None = None
    ) -> None:
        """Binds to a port; 0 takes a free one.

        Args:
            avatar: the content of the avatar's GLB.
            name: what the page calls it.
            host: address to listen on; by default only this machine can connect.
            port: 0 to 65535.
            tracker: folder with MediaPipe's face tracker, for the webcam.

        Raises:
            InputError: the port or host cannot be used, or the folder lacks a file.
            OutputError: the port is taken.
        """
        if not 0 <= port < 1 << 16:
            raise InputError(f"A port is a number from 0 to 65535, not {port}.")
        pages = _pages(avatar, name, tracker)
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        except OSError as error:
            raise InputError(f"'{host}' is no address of this machine.") from error
        allowed = _allowed_hosts(host)
        handler = type("Handler", (_Handler,), {"pages": pages, "allowed": allowed})
        server = type("Server", (ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
        try:
            self._server: ThreadingHTTPServer = server((host, port), handler)
        except OSError as error:
            raise OutputError(
                f"Port {port} of {host} cannot be used ({error.strerror or error}); choose another one with --port, "
                "or leave it out to get a free one."
            ) from error
        self.host = host
        self.port = int(self._server.server_address[1])

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect."""
        return _allowed_hosts(self.host) is not None

    @property
    def url(self) -> str:
        """The address to open."""
        host = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    def serve(self) -> None:
        """Answers until `close` is called from another thread, or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stops and frees the port."""
        self._server.shutdown()
        self._server.server_close()

    def release(self) -> None:
        """Frees the port when `serve` has ended by itself."""
        self._server.server_close()


def _pages(avatar: bytes, name: str, tracker: Path | None) -> dict[str, _Page]:
    """Every address there is."""
    pages = {f"/{file}": _page(client_file(file), kind) for file, kind in CLIENT_FILES.items()}
    pages["/"] = pages["/index.html"]
    pages["/avatar.glb"] = _page(avatar, "model/gltf-binary")
    data: dict[str, Any] = {"name": name, "avatar": "avatar.glb", "motions": packed_motions(), "tracker": None}
    if tracker is not None:
        found = _find_tracker(tracker)
        data["tracker"] = {role: f"tracker/{_TRACKER_FILES[role][0]}" for role in found}
        for role, path in found.items():
            file, kind = _TRACKER_FILES[role]
            pages[f"/tracker/{file}"] = _page(path.read_bytes(), kind)
    pages["/data.json"] = _page(json.dumps(data, separators=(",", ":")).encode(), "application/json")
    return pages


def _find_tracker(folder: Path) -> dict[str, Path]:
    """The four files in a folder or in its folder `wasm`, as the npm package has them."""
    found = {}
    for role, (file, _) in _TRACKER_FILES.items():
        places = [folder / file, folder / "wasm" / file]
        if role == "model":
            places += sorted(folder.glob("*.task"))
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise InputError(
                f"The tracker's folder {folder} has no {file}; it needs vision_bundle.mjs and wasm/ of the npm package "
                "@mediapipe/tasks-vision, and the model face_landmarker.task."
            )
        found[role] = path
    return found


def _page(content: bytes, kind: str) -> _Page:
    gzipped = None
    if len(content) >= _COMPRESSED_FROM and kind.startswith(("text/", "application/json")):
        gzipped = gzip.compress(content, _GZIP_LEVEL, mtime=0)
    return _Page(content, kind, gzipped)


def _allowed_hosts(host: str) -> frozenset[str] | None:
    """Names by which a browser may call this server; None stands for names of this machine and any plain address.

    A page of another site can make its own name point here (DNS rebinding) and would then be taken for ours. It cannot
    make the browser send another name than its own.
    """
    if host in _LOOPBACK_NAMES or _is_loopback(host):
        return _LOOPBACK_NAMES | {host.lower()}
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    pages: Mapping[str, _Page]
    allowed: frozenset[str] | None
    server_version = f"zero1toa/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that a connection may stay silent

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        if not self._host_is_ours():
            self._send(
                HTTPStatus.MISDIRECTED_REQUEST, _page(b"This server does not go by that name.\n", "text/plain"), body
            )
            return
        page = self.pages.get(urlsplit(self.path).path)
        if page is None:
            self._send(HTTPStatus.NOT_FOUND, _page(b"There is nothing here.\n", "text/plain"), body)
            return
        self._send(HTTPStatus.OK, page, body)

    def _host_is_ours(self) -> bool:
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            return False
        if not name:
            return False
        if self.allowed is not None:
            return name in self.allowed
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}
        return True

    def _send(self, status: HTTPStatus, page: _Page, body: bool) -> None:
        content = page.content
        self.send_response(status)
        if page.gzipped is not None and "gzip" in self.headers.get("Accept-Encoding", ""):
            content = page.gzipped
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            try:
                self.wfile.write(content)
            except ConnectionError:
                self.close_connection = True  # the browser went away

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is the user's."""
