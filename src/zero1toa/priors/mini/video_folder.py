"""Clips for training from the user's own videos: tracked once, split by person."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...files import write_whole
from ...heads import JOINTS, HeadTopology
from ...portrait.open_head import open_head
from ...progress import Progress
from .condition import own_camera, to_own
from .reproject import Lift, Photo, Source, landmark_picture, reprojection, screen_landmarks, shrunk
from .synthetic import FRAMES, PHOTO_SIZE, SIZE, Clip, Sitting, as_bytes, face_masks

if TYPE_CHECKING:
    from ...evaluate.reenact_source import Source as PhotoOfVideo

ENDINGS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
"""Of the videos that are taken from a folder."""

_HELD_OUT_SHARE = 0.1  # of the persons, and at least one
_MOST_CLIPS = 60  # of a video
_FORMAT = 1


class SittingLike(Protocol):
    """A NamedTuple of arrays, a seed and clips, which are NamedTuples of arrays too."""

    @property
    def seed(self) -> int: ...

    @property
    def clips(self) -> Sequence[Any]: ...

    def _asdict(self) -> dict[str, Any]: ...


S = TypeVar("S", bound=SittingLike)


@dataclass(frozen=True)
class VideoReader(Generic[S]):
    """What becomes of a video."""

    read: Callable[[Path, int, Progress], S]
    """A video as the sitting of a number."""
    sitting: Callable[..., S]
    """Puts one together again from its fields."""
    clip: type[Any]
    """Class of its clips."""
    key: str = ""
    """Tells what is kept of videos from what other readers keep."""


@dataclass(frozen=True, eq=False)
class _Person(Generic[S]):
    name: str
    sittings: list[S]


class VideoFolder(Generic[S]):
    """`ClipData` of videos.

    A folder within the folder is a person with all videos in it; a video that lies in the folder itself is a person.
    Each video is tracked as `zero1toa track` does, once: its clips are kept in `cache`. Its most frontal, calm frame is
    the photo. About a tenth of the persons, at least one, is held out, chosen by their names.

    Args:
        folder: of the videos.
        cache: a folder for the clips.
        progress: where to show how far it is.
        reader: what becomes of each video.

    Raises:
        InputError: there is no such folder, or it holds videos of fewer than two persons.
    """

    def __init__(self, folder: Path, cache: Path, progress: Progress, reader: VideoReader[S]) -> None:
        folder = folder.expanduser()
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder} with videos; the other choice is --data synthetic.")
        self.name = folder.name
        people = persons(folder)
        if len(people) < 2:
            raise InputError(f"{folder} holds videos of {len(people)} persons; training needs two, one to be held out.")
        held = set(sorted(people, key=_order)[: max(1, round(_HELD_OUT_SHARE * len(people)))])
        read: list[_Person[S]] = []
        with progress.stage("reading videos", sum(map(len, people.values()))) as stage:
            for name, videos in people.items():
                sittings = []
                for video in videos:
                    sittings.append(_cached(video, name, cache, progress, reader))
                    stage.advance(1)
                read.append(_Person(name, [s for s in sittings if s.clips]))
        self.trained = [s for p in read if p.name not in held for s in p.sittings]
        self.kept = [s for p in read if p.name in held for s in p.sittings]
        if not self.trained or not self.kept:
            raise InputError(f"The videos in {folder} show too little of faces: no clip of enough tracked frames.")

    @property
    def description(self) -> str:
        return f"videos: {len(self.trained)} for training, {len(self.kept)} of held-out persons"

    def at(self, step: int) -> Sequence[S]:
        return self.trained

    def held_out(self, count: int) -> list[S]:
        return self.kept[:count]

    def close(self) -> None:
        """Nothing works in the background."""


def persons(folder: Path) -> dict[str, list[Path]]:
    """Videos by person, in the order of their names."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            videos = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS)
            if videos:
                found[path.name] = videos
        elif path.suffix.lower() in ENDINGS:
            found[path.stem] = [path]
    return found


def _order(name: str) -> int:
    return zlib.crc32(name.encode())


def _cached(video: Path, person: str, cache: Path, progress: Progress, reader: VideoReader[S]) -> S:
    mark = zlib.crc32(f"{video.resolve()}:{video.stat().st_size}:{_FORMAT}{reader.key}".encode())
    path = cache / f"{person}-{mark:08x}.npz"
    if path.is_file():
        with np.load(path) as data:
            names = [name for name in data.files if name != "count" and not name[-1].isdigit()]
            clips = [reader.clip(*(data[f"{n}{i}"] for n in reader.clip._fields)) for i in range(int(data["count"]))]
            return reader.sitting(seed=mark, clips=clips, **{name: data[name] for name in names})
    made = reader.read(video, mark, progress)
    arrays = {name: value for name, value in made._asdict().items() if name not in ("seed", "clips")}
    arrays["count"] = np.array(len(made.clips))
    for index, clip in enumerate(made.clips):
        arrays |= {f"{name}{index}": value for name, value in clip._asdict().items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer)
    return made


@dataclass(frozen=True, eq=False)
class FollowedVideo:
    """A video whose face was followed, and the frames of it that make clips and the photo."""

    images: dict[int, NDArray[np.uint8]]  # (H, W, 3) by frame
    starts: list[int]  # first frames of clips
    frame: int  # of the photo
    portrait: PhotoOfVideo
    vertices: NDArray[np.float32]  # (N, V, 3) of all frames
    weights: Tensor  # (N, 52)
    cameras: Sequence[Camera]
    topology: HeadTopology


def follow_video(video: Path, progress: Progress, frames: int) -> FollowedVideo:
    """Tracks a video, and chooses its photo and clips of so many frames.

    Raises:
        InputError: it is no video, or shows no face.
    """
    from ...evaluate.reenact_source import choose_frame, make_source
    from ...tracking import TRACKED, FrameSource, track_video

    source = FrameSource(video)
    tracking = track_video(video, progress=progress)
    frame = choose_frame(tracking)
    portrait = make_source(source, tracking, frame, progress=progress)
    head = open_head(tracking.head).personalize(torch.as_tensor(tracking.identity, dtype=torch.float32))
    motion = tracking.motion
    poses = np.stack([motion.pose(i) for i in range(len(motion))]).reshape(-1, len(JOINTS), 3)
    with torch.no_grad():
        weights = torch.as_tensor(motion.weights + tracking.rest_expression, dtype=torch.float32)
        vertices = head.pose(weights, torch.as_tensor(poses, dtype=torch.float32)).numpy()
    starts = _starts(tracking.state == TRACKED, tracking.segments, frames)
    needed = {i for s in starts for i in range(s, s + frames)} | {frame}
    images = {i: f.image for i, f in enumerate(source) if i in needed}
    return FollowedVideo(images, starts, frame, portrait, vertices, weights, tracking.cameras, head.topology)


def read_video(video: Path, seed: int, progress: Progress) -> Sitting:
    """A video as a sitting: frames in the own view, conditions from its best frame.

    Raises:
        InputError: it is no video, or shows no face.
    """
    seen = follow_video(video, progress, FRAMES)
    frame, vertices, portrait = seen.frame, seen.vertices, seen.portrait
    camera = seen.cameras[frame]
    matte = _matte(portrait.portrait.alpha, portrait.matrix, own_camera(camera, PHOTO_SIZE), camera)
    large = own_picture(seen.images[frame], camera, PHOTO_SIZE)
    expression = seen.weights[frame].double().numpy()
    photo = Photo(large, matte, vertices[frame], own_camera(camera, PHOTO_SIZE), expression)
    read = Lift(seen.topology).read(photo, SIZE)
    small = own_camera(camera, SIZE)
    lines = landmark_picture(screen_landmarks(vertices[frame], seen.topology, small), SIZE)
    clips = []
    for start in seen.starts:
        span = slice(start, start + FRAMES)
        images = [seen.images[i] for i in range(start, start + FRAMES)]
        clips.append(_clip(images, vertices[span], seen.cameras[span], read))
    return Sitting(seed, as_bytes(shrunk(large, SIZE)), as_bytes(lines), clips)


MINI_VIDEOS = VideoReader(read_video, Sitting, Clip)
"""Videos as the mini prior is trained on them."""


def _starts(tracked: NDArray[np.bool_], segments: NDArray[np.int64], frames: int = FRAMES) -> list[int]:
    """First frames of clips: runs of tracked frames of one segment, at most `_MOST_CLIPS`, spread over the video."""
    starts = []
    index = 0
    while index + frames <= len(tracked):
        run = slice(index, index + frames)
        if tracked[run].all() and len(set(segments[run].tolist())) == 1:
            starts.append(index)
            index += frames
        else:
            index += 1
    if len(starts) > _MOST_CLIPS:
        starts = [starts[i] for i in np.linspace(0, len(starts) - 1, _MOST_CLIPS).round().astype(int)]
    return starts


def _clip(
    images: list[NDArray[np.uint8]], vertices: NDArray[np.float32], cameras: Sequence[Camera], source: Source
) -> Clip:
    columns = []
    yaws = []
    for image, posed, camera in zip(images, vertices, cameras):
        own = own_camera(camera, SIZE)
        color, known = reprojection(source, np.ascontiguousarray(posed, np.float32), own)
        points = screen_landmarks(posed, source.topology, own)
        face, features = face_masks(points, np.zeros((2 * SIZE, 2 * SIZE), np.float32))
        picture = own_picture(image, camera, SIZE)
        columns.append(
            tuple(map(as_bytes, (picture, known[..., 1], color, known, landmark_picture(points, SIZE), face, features)))
        )
        yaws.append(np.degrees(np.arctan2(camera.position[0], camera.position[2])))
    frames, cover, centers, sure, drawn, faces, boxes = (np.stack(column) for column in zip(*columns))
    return Clip(frames, cover, centers, sure, drawn, np.array(yaws, np.float32), faces, boxes)


def own_picture(image: NDArray[np.uint8], camera: Camera, size: int, own: Camera | None = None) -> NDArray[np.float32]:
    """(size, size, 3) a camera's picture (H, W, 3) in its own view, or in a wider one."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
    return np.ascontiguousarray(
        to_own(pixels, [camera], size, [own or own_camera(camera, size)])[0].permute(1, 2, 0).numpy()
    )


def _matte(alpha: NDArray[np.float32], matrix: NDArray[np.float64], own: Camera, camera: Camera) -> NDArray[np.float32]:
    """(R, R) the matte of a portrait's crop in the own view; `matrix` (2, 3) maps px of the video to px of the crop."""
    size = own.width
    scale = camera.fx / own.fx
    u = (np.arange(size) + 0.5 - own.cx) * scale + camera.cx
    v = (np.arange(size) + 0.5 - own.cy) * scale + camera.cy
    x, y = np.meshgrid(u, v)
    places = matrix[:, :2] @ np.stack([x.ravel(), y.ravel()]) + matrix[:, 2:]
    column = np.floor(places[0]).astype(int).clip(0, alpha.shape[1] - 1)
    row = np.floor(places[1]).astype(int).clip(0, alpha.shape[0] - 1)
    return np.ascontiguousarray(alpha[row, column].reshape(size, size), np.float32)
