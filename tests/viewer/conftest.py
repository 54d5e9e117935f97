"""A head painted by hand, a server that shows it, and a real browser that looks."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from painted import painted_avatar
from viewer_page import Viewer

from zero1toa.avatar import Avatar
from zero1toa.viewer import ViewerServer

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="session")
def painted() -> Avatar:
    return painted_avatar()


@pytest.fixture(scope="session")
def painted_file(painted: Avatar, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("painted") / "painted.glb"
    painted.save(path)
    return path


@pytest.fixture(scope="session")
def server(painted_file: Path) -> Iterator[ViewerServer]:
    viewer = ViewerServer(painted_file.read_bytes(), "painted.glb")
    thread = threading.Thread(target=viewer.serve, daemon=True)
    thread.start()
    yield viewer
    viewer.close()
    thread.join(5)


def chromium() -> str | None:
    named = os.environ.get("ZERO1TOA_CHROMIUM")
    return named or next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium was found; install the system's package chromium, or set ZERO1TOA_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared_view(browser: Any, server: ViewerServer) -> Iterator[Viewer]:
    viewer = Viewer(browser, server.url).loaded()
    yield viewer
    viewer.close()


@pytest.fixture
def view(shared_view: Viewer) -> Viewer:
    """The page, with the painted avatar as it is at first."""
    shared_view.call(
        """() => {
            zero1toa.play(''); zero1toa.setExpression({}); zero1toa.setHeadTurn(0, 0, 0); zero1toa.setCamera(0, 0);
            zero1toa.setLook('splats'); zero1toa.setBackground('#ffffff');
            document.querySelectorAll('.toast').forEach((toast) => toast.remove());
        }"""
    )
    shared_view.errors.clear()
    return shared_view
