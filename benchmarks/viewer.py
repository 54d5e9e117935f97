"""What the web viewer costs: `python -m benchmarks.viewer [AVATAR]` writes benchmarks/viewer.md.

Measures in headless Chromium, with a renderer in software: how long the page takes to show an avatar, the time of the
page's main thread per animated frame (morph, skinning, frames of the triangles, upload), memory, and the sizes of the
files. Needs the Python package playwright and a Chromium.
"""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro

from zero1toa.avatar import Avatar
from zero1toa.avatar_io import load_glb
from zero1toa.camera import Camera
from zero1toa.cli_export import FORMATS, Request
from zero1toa.heads import load_head
from zero1toa.progress import Progress
from zero1toa.splats import Gaussians
from zero1toa.viewer import ViewerServer, standalone_page
from zero1toa.viewer.page import client_file

SPLATS = 50_000
PLAYING, SETTLING = 30.0, 5  # seconds that a motion plays; its first frames, which are not counted
FLOOR = 2.0  # milliseconds of the main thread per animated frame
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip
OUTPUT = Path(__file__).with_name("viewer.md")


def made_up_avatar(count: int) -> Avatar:
    """The mean head with `count` splats at random places of its surface."""
    head = load_head().personalize(torch.zeros(load_head().num_identity))
    generator = torch.Generator().manual_seed(0)
    triangle = torch.randint(len(head.topology.faces), (count,), generator=generator)
    quats = torch.nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=-1)
    splats = Gaussians(
        means=torch.randn(count, 3, generator=generator) * 0.3,
        quats=quats,
        log_scales=torch.full((count, 3), -1.0),
        opacity_logits=torch.full((count,), 2.0),
        colors=torch.rand(count, 3, generator=generator),
        triangle=triangle,
    )
    zero = torch.zeros
    return Avatar(
        head,
        splats,
        zero(load_head().num_identity),
        zero(52),
        zero(6, 3),
        Camera.orbit(distance=0.9, fov=25.0, size=512),
    )


def main(avatar: Annotated[Path | None, tyro.conf.Positional] = None, loads: int = 5, frames: int = 400) -> None:
    """Measures, and writes the table.

    Args:
        avatar: An avatar's file; by default a made-up one of 50,000 splats.
        loads: How often the page is opened.
        frames: How many changes of pose are timed.
    """
    from playwright.sync_api import sync_playwright

    path = os.environ.get("ZERO1TOA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        sys.exit("No Chromium was found; install the system's package chromium, or set ZERO1TOA_CHROMIUM.")
    with tempfile.TemporaryDirectory() as folder:
        if avatar is None:
            avatar = Path(folder) / "made_up.glb"
            made_up_avatar(SPLATS).save(avatar)
        content = avatar.read_bytes()
        page_file = Path(folder) / "avatar.html"
        page_file.write_bytes(standalone_page(content, avatar.name))
        server = ViewerServer(content, avatar.name)
        threading.Thread(target=server.serve, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            served = [load_seconds(browser, server.url) for _ in range(loads)]
            single = [load_seconds(browser, page_file.as_uri()) for _ in range(loads)]
            figures = measure(browser, server.url, frames)
            version = browser.version
            browser.close()
        server.close()
        lines = report(figures, served, single, content, page_file, version) + export_sizes(avatar, Path(folder))
    OUTPUT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def export_sizes(avatar: Path, folder: Path) -> list[str]:
    """The table's rows for the other formats, one moment each."""
    rows = []
    for name in ("ply", "spz", "mesh", "obj", "gaussian-avatars"):
        output = folder / f"export{FORMATS[name].ending}"
        FORMATS[name].write(Request(avatar, load_glb(avatar), output, None, None, Progress(quiet=True)))
        files = [output] if output.is_file() else [path for path in output.rglob("*") if path.is_file()]
        rows.append(f"| export --to {name} | {sum(path.stat().st_size for path in files) / 1e6:.2f} MB |")
    return rows


def open_page(browser: Any, url: str) -> tuple[Any, float]:
    """A fresh page with the avatar in it, and the seconds until it was there."""
    page = browser.new_context(viewport={"width": 400, "height": 300}).new_page()
    start = time.perf_counter()
    page.goto(url)
    while not page.evaluate("globalThis.zero1toa?.loaded"):
        time.sleep(0.01)
    return page, time.perf_counter() - start


def load_seconds(browser: Any, url: str) -> float:
    page, seconds = open_page(browser, url)
    page.context.close()
    return seconds


def measure(browser: Any, url: str, frames: int) -> dict[str, Any]:
    """Times inside the page, the main thread's own time, and memory."""
    page, _ = open_page(browser, url)
    page.evaluate("zero1toa.measure(100)")  # compiles
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def metrics() -> dict[str, float]:
        return {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}

    before = metrics()["ThreadTime"]
    times = page.evaluate("frames => zero1toa.measure(frames)", frames)
    own = (metrics()["ThreadTime"] - before) / frames * 1000
    draws = page.evaluate("zero1toa.measure(0, 15)")["draw"]
    page.evaluate("zero1toa.play('talk')")
    time.sleep(PLAYING)
    whole = page.evaluate("zero1toa.statistics().frameMilliseconds")[SETTLING:]
    page.evaluate("zero1toa.play('')")
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [resident_megabytes(p["id"]) for p in processes if p["type"] == "renderer"]
    statistics = page.evaluate("zero1toa.statistics()")
    return {
        **times,
        "draw": draws,
        "whole": whole,
        "own": own,
        "heap": metrics()["JSHeapUsedSize"] / 1e6,
        "resident": max(renderers, default=float("nan")),
        "splats": statistics["splats"],
        "triangles": statistics["triangles"],
    }


def resident_megabytes(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return float("nan")
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1e3


def report(
    figures: dict[str, Any], served: list[float], single: list[float], content: bytes, page: Path, version: str
) -> list[str]:
    """The lines of viewer.md."""
    script = client_file("app.js")
    both = np.add(figures["rig"], figures["upload"])
    verdict = "kept" if figures["own"] <= FLOOR else "not kept"

    def row(name: str, values: Any) -> str:
        return f"| {name} | {np.median(values):.2f} | {np.percentile(values, 90):.2f} | {np.min(values):.2f} |"

    machine = f"Headless Chromium {version.partition('.')[0]} on {platform.machine()}, {os.cpu_count()} cores"
    compressed = len(gzip.compress(script, 5)) / 1e6
    return [
        "# The viewer in figures",
        "",
        f"Made by `python -m benchmarks.viewer`. {machine}, no graphics card: WebGL is drawn in",
        "software, so frame rates say nothing and are not given. The main thread does not depend on the card.",
        "",
        f"An avatar of {figures['splats']:,} splats on {figures['triangles']:,} triangles; each pose with all 52 "
        "shapes and a turned head.",
        "",
        "| milliseconds per animated frame, by the clock | median | 9 of 10 below | fastest |",
        "|---|---|---|---|",
        row("morph, skinning, frames of the triangles", figures["rig"]),
        row("upload of the frames", figures["upload"]),
        row("both", both),
        row("the renderer's call, its part on the main thread, with WebGL in software behind it", figures["draw"]),
        row("a whole frame of the motion 'talk', panels and the renderer's call included", figures["whole"]),
        "",
        "The main thread's own time for morph, skinning, frames and upload, which other work disturbs least:",
        f"**{figures['own']:.2f} ms** per frame. The floor of {FLOOR:g} ms is {verdict}.",
        "",
        "| what | figure |",
        "|---|---|",
        f"| from the address to the avatar, served by `zero1toa view` | {_seconds(served)} |",
        f"| the same, the single HTML file from the disk | {_seconds(single)} |",
        f"| JavaScript heap | {figures['heap']:.0f} MB |",
        f"| resident memory of the page's process | {figures['resident']:.0f} MB |",
        f"| avatar.glb | {len(content) / 1e6:.2f} MB |",
        f"| avatar.html, everything in one file | {page.stat().st_size / 1e6:.2f} MB |",
        f"| the viewer's script; as `zero1toa view` sends it | {len(script) / 1e6:.2f} MB; {compressed:.2f} MB |",
    ]


def _seconds(values: list[float]) -> str:
    return f"{np.median(values):.2f} s (fastest {min(values):.2f})"


if __name__ == "__main__":
    tyro.cli(main)
