"""A photo with a head fitted to it: all that later stages need to know of the person."""

from __future__ import annotations

import json
import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from ..camera import FRONTAL, Camera
from ..errors import InputError, told
from ..heads import JOINTS, arkit
from ..media import open_picture

_FORMAT = 1
_MOST_BYTES = 16 << 20  # of fit.json, which has 50 kB
_MOST_SIDE = 8192  # px of the crop, which has some 512
# What damaged fits raise: found by reading 10,000 of them.
_DAMAGED = (OSError, LookupError, TypeError, AttributeError, ValueError, ArithmeticError, SyntaxError, RecursionError,
            struct.error, zlib.error, Image.DecompressionBombError)  # fmt: skip
FILE_NAME = "fit.json"
ERRORS = ("mean", "median", "eyes", "irises", "lips", "brows", "oval", "uncorrected")
"""Names of the landmark distances in `Portrait.errors`."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """One person's photo, cropped and matted, and the head that was fitted to it."""

    image: NDArray[np.float32]  # (S, S, 3) the crop, sRGB in [0, 1]
    valid: NDArray[np.bool_]  # (S, S) false where the crop reaches beyond the photo
    alpha: NDArray[np.float32]  # (S, S) the person's matte, [0, 1]
    foreground: NDArray[np.float32]  # (S, S, 3) the person's colours without the background's share
    landmarks: NDArray[np.float64]  # (478, 3) measured, px of the crop; z is MediaPipe's relative depth
    target_landmarks: NDArray[np.float64]  # (478, 2) what was fitted: measured, less the detector's bias, px
    fitted_landmarks: NDArray[np.float64]  # (478, 2) of the fitted head, px
    identity: NDArray[np.float64]  # (I,) standard deviations
    expression: NDArray[np.float64]  # (52,) ARKit weights in the photo
    pose: NDArray[np.float64]  # (6, 3) joint rotation vectors in the photo, radians
    camera: Camera  # that took the photo, torso axes to crop pixels
    head: str  # name of the head model
    source: str  # file name of the photo or "demo"
    warnings: tuple[str, ...] = ()
    errors: dict[str, float] = field(default_factory=dict)  # landmark distances, px at 512

    @property
    def head_angles(self) -> dict[str, float]:
        """Yaw, pitch and roll of the head before the camera, degrees.

        Positive yaw: the face turns to the right of the picture; pitch: it looks down; roll: the top leans to the left.
        """
        neck, head = (Rotation.from_rotvec(self.pose[JOINTS.index(name)]) for name in ("neck", "head"))
        upright = FRONTAL @ self.camera.viewmat[:3, :3] @ (neck * head).as_matrix()
        angles = Rotation.from_matrix(upright).as_euler("YXZ", degrees=True)
        return dict(zip(("yaw", "pitch", "roll"), (float(a) for a in angles), strict=True))

    def save(self, folder: Path) -> None:
        """Writes `fit.json`, `crop.png` and `matte.png` into an existing folder."""
        _write_png(folder / "crop.png", np.concatenate([self.image, self.valid[..., None]], -1, dtype=np.float32))
        _write_png(folder / "matte.png", np.concatenate([self.foreground, self.alpha[..., None]], -1))
        (folder / FILE_NAME).write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """The fit as plain numbers: all of the portrait but its pictures."""
        c = self.camera
        return {
            "zero1toa_fit": _FORMAT,
            "source": self.source,
            "head": self.head,
            "warnings": list(self.warnings),
            "landmark_error_px_at_512": {k: round(v, 3) for k, v in self.errors.items()},
            "head_angles_degrees": {k: round(v, 2) for k, v in self.head_angles.items()},
            "expression": {n: round(float(v), 4) for n, v in zip(arkit.NAMES, self.expression, strict=True)},
            "pose": {n: [round(float(x), 6) for x in v] for n, v in zip(JOINTS, self.pose, strict=True)},
            "camera": {
                "viewmat": c.viewmat.tolist(), "fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy,
                "width": c.width, "height": c.height,
            },
            "identity": [round(float(v), 5) for v in self.identity],
            "landmarks": np.round(self.landmarks, 3).tolist(),
            "target_landmarks": np.round(self.target_landmarks, 3).tolist(),
            "fitted_landmarks": np.round(self.fitted_landmarks, 3).tolist(),
        }  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Portrait:
        """Reads what `save` wrote; needs no landmark detector.

        Raises:
            InputError: a file is missing or not of this version.
        """
        path = folder / FILE_NAME
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError(f"{FILE_NAME} is too large")
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["zero1toa_fit"] != _FORMAT:
                raise InputError(f"{path} was written by another version of zero1toa; fit the photo again.")
            crop, matte = _read_png(folder / "crop.png"), _read_png(folder / "matte.png")
            camera = _camera(data["camera"])
            if not crop.shape == matte.shape == (camera.height, camera.width, 4):
                raise ValueError("the pictures and the camera differ in size")
            errors = {name: float(data["landmark_error_px_at_512"][name]) for name in ERRORS}
            return cls(
                image=np.ascontiguousarray(crop[..., :3]),
                valid=crop[..., 3] > 0.5,
                alpha=np.ascontiguousarray(matte[..., 3]),
                foreground=np.ascontiguousarray(matte[..., :3]),
                landmarks=_array(data["landmarks"], (478, 3)),
                target_landmarks=_array(data["target_landmarks"], (478, 2)),
                fitted_landmarks=_array(data["fitted_landmarks"], (478, 2)),
                identity=_array(data["identity"], (len(data["identity"]),)),
                expression=_array([data["expression"][n] for n in arkit.NAMES], (len(arkit.NAMES),)),
                pose=_array([data["pose"][n] for n in JOINTS], (len(JOINTS), 3)),
                camera=camera,
                head=str(data["head"]),
                source=str(data["source"]),
                warnings=tuple(str(w) for w in data["warnings"]),
                errors=errors,
            )
        except _DAMAGED as error:
            raise InputError(f"{folder} holds no usable fit ({told(str(error))}); run `zero1toa fit` again.") from error


def _camera(data: dict[str, Any]) -> Camera:
    fx, fy, cx, cy = (float(data[name]) for name in ("fx", "fy", "cx", "cy"))
    return Camera(_array(data["viewmat"], (4, 4)), fx, fy, cx, cy, int(data["width"]), int(data["height"]))


def _array(values: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"expected {shape} finite numbers, got shape {array.shape}")
    return array


def _write_png(path: Path, pixels: NDArray[np.float32]) -> None:
    Image.fromarray((pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)).save(path)


def _read_png(path: Path) -> NDArray[np.float32]:
    with warnings.catch_warnings(), open_picture(path, formats=("PNG",)) as picture:
        warnings.simplefilter("ignore")  # remarks on size and metadata
        if max(picture.size) > _MOST_SIDE:
            raise ValueError(f"{path.name} is too large")
        return np.asarray(picture.convert("RGBA"), np.float32) / 255
