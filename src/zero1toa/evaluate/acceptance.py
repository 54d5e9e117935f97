"""Whether an avatar looks like its photo and does what it is told: the bar that every avatar has to pass.

The landmark detector judges renders, and it has a bias of its own. Beside each figure stands what the same measure
gives on the plain mesh of the same head, which obeys exactly, and on the photo itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .. import showcase
from ..avatar import Avatar, expression_weights
from ..camera import Camera
from ..heads.mesh_render import shade
from ..portrait.portrait import Portrait
from .metrics import psnr, silhouette_iou
from .readings import Command, Reading

YAWS = (-45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0)
"""Degrees from which the neutral face is rendered."""

EXPRESSIONS: dict[str, dict[str, float]] = {
    **{name: weights for name, weights in showcase.EXPRESSIONS.items() if not name.startswith("gaze")},
    "brows down": {"browDownLeft": 0.9, "browDownRight": 0.9},
}
"""ARKit weights by name, rendered from the front."""

LEAST_PSNR = 32.0  # dB inside the matte, at the photo's view
LEAST_IOU = 0.95  # of the silhouettes, there
MOST_YAW_ERROR = 5.0  # degrees, up to `YAW_CHECKED`
YAW_CHECKED = 30.0  # degrees; beyond, the face need only be found
MOST_LANDMARK_ERROR = 6.0  # px at 512, for each expression

_SIZE = 512
_PAPER = 0.5  # grey behind photo and render where they are compared
_BACKGROUND = (0.85, 0.85, 0.85)  # behind renders that the detector reads


@dataclass(frozen=True)
class View:
    """One render that the detector has read. None where it found no face."""

    name: str
    yaw: float  # degrees, commanded
    avatar: Reading | None
    mesh: Reading | None  # the same head, drawn as a mesh in plain colours

    @property
    def yaw_error(self) -> float:
        """Degrees between read and commanded; NaN without a face."""
        return abs(self.avatar.yaw - self.yaw) if self.avatar else float("nan")


@dataclass(frozen=True)
class Acceptance:
    """Everything measured on one avatar."""

    name: str
    psnr: float  # dB inside the matte, at the photo's own view
    psnr_covered: float  # dB, of those pixels where the avatar is too: colours alone, without missing parts
    iou: float  # of the silhouettes, there
    photo: Reading | None  # the photo itself next to the fitted head
    photo_yaw: float  # degrees of the fitted head in the photo
    yaws: tuple[View, ...]
    expressions: tuple[View, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """One short line for each part of the bar that is not met."""
        lines = []
        if not self.psnr >= LEAST_PSNR:
            lines.append(f"PSNR {self.psnr:.1f} dB")
        if not self.iou >= LEAST_IOU:
            lines.append(f"silhouette {self.iou:.3f}")
        for view in self.yaws:
            if view.avatar is None:
                lines.append(f"no face at yaw {view.yaw:+.0f}")
            elif abs(view.yaw) <= YAW_CHECKED and view.yaw_error > MOST_YAW_ERROR:
                lines.append(f"yaw {view.yaw:+.0f} reads as {view.avatar.yaw:+.1f}")
        for view in self.expressions:
            if view.avatar is None:
                lines.append(f"no face with {view.name}")
            elif view.avatar.distance > MOST_LANDMARK_ERROR:
                lines.append(f"{view.name} {view.avatar.distance:.1f} px")
        return tuple(lines)


def accept(name: str, portrait: Portrait, avatar: Avatar, size: int = _SIZE) -> Acceptance:
    """Measures an avatar against its photo and against its own head.

    Args:
        name: for the table.
        portrait: the fit that the avatar was made of.
        avatar: made of it.
        size: pixels on a side of the renders that the detector reads.
    """
    picture, alpha = photo_render(portrait, avatar)
    matte = portrait.alpha[..., None]
    photo = portrait.foreground * matte + _PAPER * (1 - matte)
    inside = (portrait.alpha > 0.5) & portrait.valid
    command = Command.of(avatar.head, portrait.camera, avatar.photo_expression, avatar.photo_pose)
    return Acceptance(
        name,
        psnr(picture, photo, inside),
        psnr(picture, photo, inside & (alpha > 0.5)),
        silhouette_iou(alpha, portrait.alpha, portrait.valid),
        command.compare(portrait.landmarks),
        command.yaw,
        tuple(_view(avatar, f"{yaw:+.0f}", yaw, {}, size) for yaw in YAWS),
        tuple(_view(avatar, label, 0.0, weights, size) for label, weights in EXPRESSIONS.items()),
    )


def photo_render(portrait: Portrait, avatar: Avatar) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The avatar as in the photo: (H, W, 3) before grey, and its alpha (H, W)."""
    pixels = avatar.render(portrait.camera, avatar.photo_expression, avatar.photo_pose, background=None)
    alpha = pixels[..., 3:]
    return pixels[..., :3] * alpha + _PAPER * (1 - alpha), alpha[..., 0]


def _view(avatar: Avatar, name: str, yaw: float, weights: Mapping[str, float], size: int) -> View:
    camera: Camera = avatar.front_camera(yaw, size=size)
    command = Command.of(avatar.head, camera, expression_weights(weights), torch.zeros_like(avatar.photo_pose))
    mesh = shade(command.vertices, avatar.head.topology, camera, background=_BACKGROUND)
    rendered = avatar.render(camera, weights, background=_BACKGROUND)
    return View(name, command.yaw, command.read(rendered), command.read(mesh))


def markdown(results: list[Acceptance]) -> str:
    """Tables: the photo's view, yaws, expressions, and what is below the bar."""
    return "\n\n".join("\n".join(lines) for lines in _tables(results)) + "\n"


def _tables(results: list[Acceptance]) -> Iterator[list[str]]:
    likeness = ("PSNR in the matte, dB", "covered, dB", "silhouette IoU")
    yield _table(
        ("portrait", *likeness, "landmarks of the photo, px", "its yaw, fit / read"),
        [
            (r.name, f"{r.psnr:.1f}", f"{r.psnr_covered:.1f}", f"{r.iou:.3f}")
            + (_distance(r.photo), f"{r.photo_yaw:+.1f} / {_yaw(r.photo)}")
            for r in results
        ],
    )
    yield ["Yaw read (and landmark distance, px at 512), avatar / plain mesh:"]
    yaws = [f"{yaw:+.0f}" for yaw in YAWS]
    yield _table(("portrait", *yaws), [(r.name, *(_both(v, _yaw_and_distance) for v in r.yaws)) for r in results])
    yield ["Landmark distance, px at 512, avatar / plain mesh:"]
    yield _table(("portrait", *EXPRESSIONS), [(r.name, *(_both(v, _distance) for v in r.expressions)) for r in results])
    yield ["The same by region (eyes, lips, brows, oval), mean over the expressions:"]
    yield _table(
        ("portrait", "avatar", "plain mesh"),
        [
            (r.name, _regions([v.avatar for v in r.expressions]), _regions([v.mesh for v in r.expressions]))
            for r in results
        ],
    )
    yield ["Below the bar:"]
    yield [f"* {r.name}: {'; '.join(r.failures) or 'nothing'}" for r in results]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _distance(reading: Reading | None) -> str:
    return f"{reading.distance:.1f}" if reading else "no face"


def _yaw(reading: Reading | None) -> str:
    return f"{reading.yaw:+.1f}" if reading else "no face"


def _yaw_and_distance(reading: Reading | None) -> str:
    return f"{reading.yaw:+.1f} ({reading.distance:.1f})" if reading else "no face"


def _both(view: View, show: Callable[[Reading | None], str]) -> str:
    return f"{show(view.avatar)} / {show(view.mesh)}"


def _regions(readings: list[Reading | None]) -> str:
    found = [r.regions for r in readings if r]
    return ", ".join(f"{np.mean([r[name] for r in found]):.1f}" for name in found[0]) if found else "no face"
