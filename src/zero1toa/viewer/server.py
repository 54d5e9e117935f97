"""A small server for one avatar: it knows a handful of addresses by name and never turns an address into a path."""

from __future__ import annotations

import gzip
import ipaddress
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zero1toa._version import __version__
from zero1toa.errors import InputError, OutputError
from zero1toa.viewer.connections import BoundedHandler, BoundedServer
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

_TOKEN_BYTES = 16  # of chance in the address of a server for the network
_BLOCK = 1 << 16  # bytes that are sent at a time: each has the whole time limit, so that a slow network can be slow
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
        self.token = "" if allowed is not None else secrets.token_urlsafe(_TOKEN_BYTES)
        handler = type("Handler", (_Handler,), {"pages": pages, "allowed": allowed, "token": self.token})
        server = type("Server", (BoundedServer,), {"address_family": family})
        try:
            self._server: BoundedServer = server((host, port), handler)
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
        """The address to open on this machine."""
        return self._address({"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}.get(self.host, self.host))

    @property
    def network_url(self) -> str:
        """The address for others, by this machine's name where it listens on all of its addresses."""
        return self._address(socket.gethostname() if self.host in ("0.0.0.0", "::", "") else self.host)

    def _address(self, host: str) -> str:
        place = f"{self.token}/" if self.token else ""  # before all names, so that every address of the page has it
        return f"http://[{host}]:{self.port}/{place}" if ":" in host else f"http://{host}:{self.port}/{place}"

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


class _Handler(BoundedHandler):
    pages: Mapping[str, _Page]
    allowed: frozenset[str] | None
    token: str  # that every address begins with; "" for none
    server_version = f"zero1toa/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        if not self._host_is_ours():
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "This server does not go by that name.", body)
        elif not self._asked_by_us():
            self._refuse(HTTPStatus.FORBIDDEN, "A page of another site asks for this.", body)
        elif self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # what was sent is not looked at
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This server takes nothing.", body)
        elif (page := self._page()) is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.", body)
        else:
            self._send(HTTPStatus.OK, page, body)

    def _page(self) -> _Page | None:
        """The page of exactly this address: nothing is decoded, joined or looked up on a disk."""
        path = self.path.partition("?")[0]
        if self.token:
            token, slash, name = path.removeprefix("/").partition("/")
            if not secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode()) or not slash:
                return None
            path = f"/{name}"
        return self.pages.get(path)

    def _host_is_ours(self) -> bool:
        hosts = self.headers.get_all("Host") or []
        try:
            name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
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

    def _asked_by_us(self) -> bool:
        """Whether no page of another site asks, as far as the browser says. Links from elsewhere may lead here."""
        origins = self.headers.get_all("Origin") or []
        if any(origin.lower() != f"http://{self.headers['Host']}".lower() for origin in origins):
            return False
        site, mode = self.headers.get("Sec-Fetch-Site", "none"), self.headers.get("Sec-Fetch-Mode", "navigate")
        return site in ("none", "same-origin") or mode == "navigate"

    def _refuse(self, status: HTTPStatus, why: str, body: bool) -> None:
        self._send(status, _page(f"{why}\n".encode(), "text/plain; charset=utf-8"), body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For what cannot be understood; says nothing of what was asked."""
        self.close_connection = True
        self._refuse(HTTPStatus(code), HTTPStatus(code).phrase, self.command != "HEAD")

    def _send(self, status: HTTPStatus, page: _Page, body: bool) -> None:
        content = page.content
        self.send_response(status)
        accepted = self.headers.get("Accept-Encoding", "") if hasattr(self, "headers") else ""
        if page.gzipped is not None and "gzip" in accepted:
            content = page.gzipped
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            view = memoryview(content)
            for start in range(0, len(content), _BLOCK):
                self.wfile.write(view[start : start + _BLOCK])
