"""How well a video was tracked, for people: figures as JSON and the head drawn over the face."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..camera import Camera
from ..files import atomic_write
from ..heads import HeadModel, HeadTopology, load_head
from ..heads.mesh_render import interpolate, rasterize_mesh, vertex_normals
from ..media import write_mp4
from .frames import FrameSource
from .result import FILLED, LOST, TRACKED, Tracking

CHECK_HEIGHT: Final = 720  # px, most of the check video
_COVER: Final = 0.7  # opacity of the mesh over the face
_CLAY: Final = (0.93, 0.90, 0.86)
_EYE: Final = (0.98, 0.98, 0.98)
_IRIS: Final = (0.15, 0.25, 0.4)
_LIPS: Final = (0.86, 0.55, 0.52)
_STATES: Final = {TRACKED: "tracked", FILLED: "filled", LOST: "no face"}
_UNSURE: Final = 0.5  # confidence below which a frame is listed


def quality_report(tracking: Tracking) -> dict[str, Any]:
    """Figures and per-frame lists, ready for JSON.

    Landmark errors are mean distances between measured landmarks and those of the tracked head, px at a face width of
    225; confidence is in [0, 1].
    """
    seen = np.isfinite(tracking.errors)
    lost = tracking.state == LOST
    return {
        "frames": len(tracking),
        "fps": tracking.fps,
        "seconds": len(tracking) / tracking.fps,
        "size": list(tracking.size),
        "head": tracking.head,
        "tracked_frames": int((tracking.state == TRACKED).sum()),
        "filled_frames": np.flatnonzero(tracking.state == FILLED).tolist(),
        "lost_frames": np.flatnonzero(lost).tolist(),
        "unsure_frames": np.flatnonzero((tracking.confidence < _UNSURE) & ~lost).tolist(),
        "segments": int(tracking.segments.max(initial=-1) + 1),
        "mean_confidence": float(tracking.confidence.mean()),
        "landmark_error": {
            "unit": "px at a face width of 225",
            "mean": float(tracking.errors[seen].mean()),
            "median": float(np.median(tracking.errors[seen])),
            "largest": float(tracking.errors[seen].max()),
        },
        "processing": {
            "seconds": tracking.seconds,
            "frames_per_second": len(tracking) / tracking.seconds if tracking.seconds else None,
        },
        "warnings": list(tracking.warnings),
        "per_frame": {
            "time": np.round(tracking.frame_times, 4).tolist(),
            "state": [_STATES[int(state)] for state in tracking.state],
            "confidence": np.round(tracking.confidence, 3).tolist(),
            "landmark_error": [round(float(e), 3) if np.isfinite(e) else None for e in tracking.errors],
        },
    }


def write_report(path: str | PathLike[str], tracking: Tracking) -> None:
    """Writes `quality_report` as JSON. Raises OutputError."""
    text = json.dumps(quality_report(tracking), indent=1)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_check_video(
    path: str | PathLike[str],
    tracking: Tracking,
    source: FrameSource,
    advance: Callable[[int], None] = lambda steps: None,
) -> None:
    """Writes an MP4: each frame, and beside it the same with the tracked head drawn over the face.

    Args:
        path: the file.
        tracking: of the same source.
        source: the video.
        advance: told of every frame.

    Raises:
        OutputError: the file cannot be written.
    """
    write_mp4(path, check_frames(tracking, source, advance), fps=tracking.fps)


def check_frames(
    tracking: Tracking, source: FrameSource, advance: Callable[[int], None] = lambda steps: None
) -> Iterator[NDArray[np.float32]]:
    """The pictures of the check video, (H, 2 W, 3) in [0, 1]."""
    head = load_head(tracking.head)
    rigged = head.personalize(torch.as_tensor(tracking.identity, dtype=torch.float32))
    colors, faces = _colors(head), _face_triangles(head.topology)
    width, height = tracking.size
    scale = min(1.0, CHECK_HEIGHT / height)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    for index, frame in zip(range(len(tracking)), source):
        picture = Image.fromarray(frame.image)
        picture = picture if scale == 1 else picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        plain = np.asarray(picture, np.float32) / 255
        over = plain
        if tracking.state[index] != LOST:
            with torch.no_grad():
                posed = rigged.pose(
                    torch.as_tensor(tracking.motion.expression(index).copy()),
                    torch.as_tensor(tracking.motion.pose(index).copy()),
                ).numpy()
            over = _draw(plain, posed, head.topology, faces, colors, tracking.cameras[index].resized(*size))
        yield np.concatenate([plain, _labelled(over, tracking, index)], 1)
        advance(1)


def _colors(head: HeadModel) -> NDArray[np.float32]:
    topology = head.topology
    colors = np.tile(np.array(_CLAY, np.float32), (topology.num_vertices, 1))
    lips, iris = topology.regions["lips"][:, None], topology.regions["iris"][:, None]
    colors += lips * (np.array(_LIPS, np.float32) - colors)
    colors[topology.part_vertices("eyeLeft", "eyeRight")] = _EYE
    colors += iris * (np.array(_IRIS, np.float32) - colors)
    inner = topology.regions["innerMouth"][:, None] * topology.part_vertices("skin")[:, None]
    return (colors * (1 - 0.8 * inner)).astype(np.float32)


def _face_triangles(topology: HeadTopology) -> NDArray[np.int32]:
    """(T', 3) the triangles of the head without neck, shoulders, lashes and gums."""
    hidden = topology.regions["shoulders"] + topology.regions["neck"] + topology.regions["scalp"] > 0.5
    parts = topology.part_faces("skin", "eyeLeft", "eyeRight", "teethUpper", "teethLower", "tongue")
    return topology.faces[parts & ~hidden[topology.faces].any(1)]


def _draw(
    plain: NDArray[np.float32], posed: NDArray[np.float32], topology: HeadTopology, faces: NDArray[np.int32],
    colors: NDArray[np.float32], camera: Camera,
) -> NDArray[np.float32]:  # fmt: skip
    buffers = rasterize_mesh(posed, faces, camera)
    normals = interpolate(vertex_normals(posed, topology.faces), buffers, faces)
    facing = np.abs(normals @ camera.viewmat[2, :3].astype(np.float32))
    light = 0.35 + 0.65 * facing[..., None]
    cover = _COVER * (buffers.face >= 0)[..., None].astype(np.float32)
    return plain * (1 - cover) + interpolate(colors, buffers, faces) * light * cover


def _labelled(image: NDArray[np.float32], tracking: Tracking, index: int) -> NDArray[np.float32]:
    picture = Image.fromarray((image.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    size = max(11, picture.height // 32)
    text = f"{index}  {_STATES[int(tracking.state[index])]}  {tracking.confidence[index]:.2f}"
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    draw.text(
        (size // 2, size // 2), text, (255, 255, 255), font, stroke_width=max(1, size // 8), stroke_fill=(0, 0, 0)
    )
    return np.asarray(picture, np.float32) / 255
