"""`zero1toa view`: the web viewer on this machine."""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import Annotated

import tyro

from .progress import Progress

AvatarFile = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]


def view(
    avatar: AvatarFile,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    browser: bool = True,
    tracker: Path | None = None,
    head: Head = None,
) -> None:
    """Look at an avatar in the browser: turn it, move its face, play motions, drive it by webcam.

    Prints the address and, where there is a display, opens it. Ctrl-C ends the server.

    Examples: zero1toa view avatar.glb | zero1toa view avatar.glb --port 8000 --no-browser

    Args:
        avatar: The avatar's file.
        port: Port to listen on; by default a free one.
        host: Address to listen on; by default only this machine can connect. 0.0.0.0 shows the avatar to everyone in
            the network who knows the address, which then has a secret part.
        browser: Open the page where there is a display.
        tracker: Folder with MediaPipe's face tracker, for the webcam: vision_bundle.mjs and wasm/ of the npm package
            @mediapipe/tasks-vision, and face_landmarker.task.
        head: The FLAME that a folder of GaussianAvatars was made on, flame:FILE; other avatars carry their head.
    """
    from .avatar_io import glb_content
    from .viewer import ViewerServer

    progress = Progress(quiet=False)
    content = glb_content(avatar, head)  # refuses what is no avatar, with a sentence
    server = ViewerServer(content, avatar.name, host=host, port=port, tracker=tracker)
    progress.say(f"{avatar.name} is at {server.url}")
    if not server.is_private:
        progress.warn(
            f"Everyone in the network who knows the address can see the avatar, unencrypted: {server.network_url}"
        )
    progress.say("Ctrl-C ends the viewer.")
    sys.stdout.flush()
    if browser and has_display():
        webbrowser.open(server.url)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        server.serve()
    except KeyboardInterrupt:
        progress.say("The viewer has ended.")
    finally:
        signal.signal(signal.SIGTERM, before)
        server.release()


def has_display() -> bool:
    """Whether a browser can show a window here."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return not (os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"))


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
