"""The client's files, and the single HTML file that holds the client, an avatar and the motions."""

from __future__ import annotations

import base64
import gzip
import json
import re
from hashlib import sha256
from importlib import resources

from zero1toa.errors import AssetError
from zero1toa.viewer.motions import packed_motions

CLIENT_FILES = {
    "index.html": "text/html; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "licences.txt": "text/plain; charset=utf-8",
}
"""The files of the built client and their types."""

_STYLE = '<link rel="stylesheet" href="style.css">'
_SCRIPT = '<script type="module" src="app.js"></script>'
_CHARSET = '<meta charset="utf-8">'
_GZIP_LEVEL = 9


def client_file(name: str) -> bytes:
    """One of CLIENT_FILES.

    Raises:
        AssetError: the installation lacks it.
    """
    assert name in CLIENT_FILES, name
    try:
        return resources.files("zero1toa.viewer").joinpath("static").joinpath(name).read_bytes()
    except OSError as error:
        raise AssetError(f"The viewer's file {name} is missing; install zero1toa again.") from error


def standalone_page(avatar: bytes, name: str) -> bytes:
    """An HTML file that shows an avatar without a server and without a network.

    Args:
        avatar: the content of the avatar's GLB.
        name: what the page calls it.
    """
    data = {
        "name": name,
        "inline": True,
        "avatar": base64.b64encode(gzip.compress(avatar, _GZIP_LEVEL, mtime=0)).decode(),
        "motions": packed_motions(),
    }
    page, style, script, licences = (
        client_file(n).decode() for n in ("index.html", "style.css", "app.js", "licences.txt")
    )
    assert _STYLE in page and _SCRIPT in page
    parts = [
        f'<script type="text/plain" id="licences">\n{_inside_script(licences)}</script>',
        f'<script type="application/json" id="data">{_inside_json(data)}</script>',
        f'<script type="module">{_inside_script(script)}</script>',
    ]
    page = page.replace(_STYLE, f"<style>{style}</style>").replace(_SCRIPT, "\n".join(parts))
    assert _CHARSET in page
    rules = f'<meta http-equiv="Content-Security-Policy" content="{_policy(_inside_script(script), style)}">'
    rules += '\n<meta name="referrer" content="no-referrer">'
    return page.replace(_CHARSET, f"{_CHARSET}\n{rules}", 1).encode()


def _policy(script: str, style: str) -> str:
    """What the single file may do: run its own script and no other, and load nothing but what it makes itself.

    As the server's, with the digests of script and style in the place of their addresses.
    """
    own_script, own_style = (base64.b64encode(sha256(text.encode()).digest()).decode() for text in (script, style))
    return (
        f"default-src 'none'; script-src 'sha256-{own_script}' blob: 'wasm-unsafe-eval'; worker-src blob:; "
        f"style-src 'sha256-{own_style}'; style-src-attr 'unsafe-inline'; img-src data: blob:; media-src blob:; "
        "connect-src blob: data:; base-uri 'none'; form-action 'none'"
    )


def _inside_script(text: str) -> str:
    """A script's text that cannot end the element around it; in JavaScript the added backslash says nothing."""
    return re.sub(r"<(/script|!--)", r"<\\\1", text, flags=re.IGNORECASE)


def _inside_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
