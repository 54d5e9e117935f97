"""The viewer's page in a browser, as tests see it."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PATIENCE = 60.0  # seconds; a software renderer on a busy machine is slow


class Viewer:
    """The page in the browser, with what it said on its console."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        options = {"viewport": {"width": 640, "height": 420}, "accept_downloads": True, **options}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda entry: self.errors.append(entry.text) if entry.type == "error" else None)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)

    def wait(self, expression: str, what: str = "") -> Any:
        """The expression's value once it is true. (Playwright's own waiting needs eval, which the page forbids.)"""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            value = self.page.evaluate(expression)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"in vain: {what or expression}; {self.errors}")

    def loaded(self) -> Viewer:
        self.wait("globalThis.zero1toa?.loaded")
        return self

    def call(self, expression: str, argument: Any = None) -> Any:
        return self.page.evaluate(expression, argument)

    def picture(self, size: int = 256) -> np.ndarray:
        """(size, size, 4) in [0, 1], all splats sorted."""
        data = self.page.evaluate("size => zero1toa.capture(size, size)", size)
        image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGBA")
        return np.asarray(image, np.float32) / 255

    def drop(self, path: Path, name: str | None = None) -> None:
        """Drops a file on the page."""
        self.page.evaluate(
            """([text, name]) => {
                const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
                const data = new DataTransfer();
                data.items.add(new File([bytes], name));
                const options = { dataTransfer: data, bubbles: true, cancelable: true };
                for (const kind of ['dragenter', 'dragover', 'drop'])
                    document.body.dispatchEvent(new DragEvent(kind, options));
            }""",
            [base64.b64encode(path.read_bytes()).decode(), name or path.name],
        )

    def alert(self) -> str:
        """The message that the page shows as an error."""
        return str(self.wait("document.querySelector('.toast.error span')?.textContent", "a message"))

    def close(self) -> None:
        self.context.close()
