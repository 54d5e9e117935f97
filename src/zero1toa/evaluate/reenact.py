"""Self-reenactment: an avatar of one frame of a video is moved by that video and compared with its other frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..avatar import Avatar
from ..heads import facemesh, load_head
from ..portrait.landmark_model import landmark_model
from ..portrait.matte import matte_portrait
from ..priors import Drive
from ..tracking import LOST, FrameSource, Tracking
from ..tracking.alignment import rigid_weights
from .face_reading import MEASURES as FACE_MEASURES
from .face_reading import Face, FaceReader, compare_faces
from .metrics import psnr, ssim
from .perceptual import Distance
from .reenact_baselines import RigidPhoto, StaticPhoto
from .reenact_source import Source

AVATAR: Final = "avatar"
STATIC: Final = "static photo"
RIGID: Final = "rigidly moved photo"
REAL: Final = "real video"
BASELINES: Final = (STATIC, RIGID)

PICTURE_MEASURES: Final[dict[str, str]] = {
    "psnr": "PSNR in the whole crop, dB",
    "psnr_face": "PSNR inside the face's outline, dB",
    "ssim": "SSIM in the whole crop",
    "lpips": "LPIPS (AlexNet) of the whole crop",
}
MEASURES: Final[dict[str, str]] = PICTURE_MEASURES | FACE_MEASURES
"""What is measured in each compared frame."""

LANDMARK_MEASURES: Final = ("akd", "mouth", "eyes", "irises", "mouth_gap", "eye_gap")
BACKGROUND: Final = (0.85, 0.85, 0.85)  # behind everything that is compared


class Method(Protocol):
    """Draws a frame of the video in the portrait's crop."""

    def __call__(self, frame: int) -> NDArray[np.float32]:
        """(S, S, 4) in [0, 1], straight alpha."""
        ...


class DrivenAvatar:
    """An avatar that does what the tracked person does."""

    def __init__(self, avatar: Avatar, drive: Drive) -> None:
        self._avatar = avatar
        self._weights, self._poses, self._cameras = drive.expressions.numpy(), drive.poses.numpy(), drive.cameras

    def __call__(self, frame: int) -> NDArray[np.float32]:
        """(S, S, 4) straight alpha, in steps of 1/255."""
        one = slice(frame, frame + 1)
        drawn = self._avatar.playback.draw(self._weights[one], self._poses[one], [self._cameras[frame]], None)
        return drawn[0].astype(np.float32) / 255


@dataclass(frozen=True, eq=False)
class Compared:
    """One frame: what is real, what the methods drew, and how far apart these are. NaN where no face was found."""

    frame: int
    real: NDArray[np.float32]  # (S, S, 3)
    valid: NDArray[np.bool_]  # (S, S) false beyond the video
    pictures: dict[str, NDArray[np.float32]]  # (S, S, 3) by method
    measures: dict[str, dict[str, float]]  # by method and measure


@dataclass(eq=False)
class Comparison:
    """Methods against a video. `run` fills it.

    Args:
        source: the frame that the methods know, and the crop.
        methods: by name.
        frames: the frames to compare, in order.
        segments: (F,) number of the run of frames without a cut, -1 where there is no face.
        lpips: LPIPS, if there is any.
    """

    source: Source
    methods: Mapping[str, Method]
    frames: Sequence[int]
    segments: NDArray[np.int64]
    lpips: Distance | None = None
    rows: list[Compared] = field(default_factory=list)
    """Without pictures."""
    faces: dict[str, dict[int, Face | None]] = field(default_factory=dict)
    """What was read, by method (and `REAL`) and frame; also in the frames beside the compared ones."""

    def run(self, video: FrameSource) -> Iterator[Compared]:
        """Compares frame by frame, and gives each with its pictures."""
        camera = self.source.portrait.camera
        fov = float(np.degrees(2 * np.arctan(camera.height / 2 / camera.fy)))
        reader = FaceReader(camera.height, fov)
        wanted = set(self.frames)
        read = wanted | {beside for i in self.frames for beside in (i - 1, i + 1)}
        self.faces = {name: {} for name in (REAL, *self.methods)}
        for index, frame in enumerate(video):
            if index not in read or index >= len(self.segments):
                continue
            crop = self.source.crop(frame.image)
            drawn = {name: _over(method(index)) for name, method in self.methods.items()}
            truth = self.faces[REAL][index] = reader.find(crop.image)
            for name, picture in drawn.items():
                self.faces[name][index] = reader.find(picture)
            if index not in wanted:
                continue
            if truth is None:
                real = crop.image
            else:
                matte = matte_portrait(crop, truth.landmarks)
                real = _over(np.concatenate([matte.foreground, matte.alpha[..., None]], -1))
            measures = {
                name: self._measure(picture, real, crop.valid, self.faces[name][index], truth)
                for name, picture in drawn.items()
            }
            self.rows.append(Compared(index, np.zeros((0, 0, 3), np.float32), crop.valid[:0], {}, measures))
            yield Compared(index, real, crop.valid, drawn, measures)

    def _measure(
        self, picture: NDArray[np.float32], real: NDArray[np.float32], valid: NDArray[np.bool_], face: Face | None,
        truth: Face | None,
    ) -> dict[str, float]:  # fmt: skip
        if truth is None:
            return dict.fromkeys(MEASURES, float("nan"))
        inside = valid & outline(truth.landmarks, len(real))
        measures = {
            "psnr": psnr(picture, real, valid),
            "psnr_face": psnr(picture, real, inside),
            "ssim": ssim(picture, real, valid),
            "lpips": float("nan"),
        }
        if self.lpips is not None:
            both = (np.where(valid[..., None], p, BACKGROUND) for p in (picture, real))
            measures["lpips"] = self.lpips(*both)
        if face is None:
            return measures | dict.fromkeys(FACE_MEASURES, float("nan"))
        return measures | compare_faces(face, truth, len(real))

    def means(self) -> dict[str, dict[str, float]]:
        """By method: the mean of each measure over the frames where it could be taken, "detected" (the share of
        compared frames with a real face in which one was found), and "jitter"."""
        table: dict[str, dict[str, float]] = {}
        for name in self.methods:
            columns = {m: np.array([row.measures[name][m] for row in self.rows]) for m in MEASURES}
            table[name] = {m: _mean(values) for m, values in columns.items()}
            faces = [self.faces[name][r.frame] for r in self.rows if self.faces[REAL][r.frame] is not None]
            table[name]["detected"] = _mean(np.array([face is not None for face in faces], float))
            table[name]["jitter"] = self.jitter(name)
        return table

    def jitter(self, name: str) -> float:
        """Mean length of the second difference of landmarks over three frames without a cut, px at 512."""
        found, lengths = self.faces[name], []
        for i in self.frames:
            three = [found.get(k) for k in (i - 1, i, i + 1)]
            if None in three or len({int(self.segments[k]) for k in (i - 1, i, i + 1)}) > 1:
                continue
            before, now, after = (face.landmarks[:, :2] for face in three if face is not None)
            lengths.append(float(np.linalg.norm(before - 2 * now + after, axis=1).mean()))
        return _mean(np.array(lengths)) * 512 / self.source.portrait.camera.height


def compared_frames(tracking: Tracking, source: int, every: int) -> list[int]:
    """Every k-th frame in which the person is seen, without the one that the avatar was made of."""
    return [i for i in range(0, len(tracking), every) if i != source and tracking.state[i] != LOST]


def methods_of(avatar: Avatar, drive: Drive, tracking: Tracking, source: Source) -> dict[str, Method]:
    """The avatar and the two baselines."""
    matrix = source.matrix
    measured = tracking.landmarks.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    weights = rigid_weights(landmark_model(load_head(tracking.head), 0))
    return {
        AVATAR: DrivenAvatar(avatar, drive),
        STATIC: StaticPhoto(source.portrait),
        RIGID: RigidPhoto(source.portrait, measured, source.frame, weights),
    }


def outline(landmarks: NDArray[np.floating], size: int) -> NDArray[np.bool_]:
    """(S, S) pixels inside the face's contour."""
    picture = Image.new("L", (size, size))
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in landmarks[list(facemesh.OVAL), :2]], fill=1)
    return np.asarray(picture) > 0


def _over(pixels: NDArray[np.floating]) -> NDArray[np.float32]:
    alpha = pixels[..., 3:]
    return np.asarray(pixels[..., :3] * alpha + np.array(BACKGROUND) * (1 - alpha), np.float32)


def _mean(values: NDArray[np.floating]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
