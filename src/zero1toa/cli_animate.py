"""The command `zero1toa animate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from .errors import InputError
from .progress import Progress

AvatarFile = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")]
MotionName = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MOTION")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]
Head = Annotated[str | None, tyro.conf.arg(metavar="HEAD")]
Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff]
Size = Annotated[str, tyro.conf.arg(metavar="PX|WxH")]


def animate(
    avatar: AvatarFile,
    motion: MotionName,
    output: Output = Path("animation.mp4"),
    *,
    size: Size = "512",
    yaw: float = 0.0,
    pitch: float = 0.0,
    zoom: float = 1.0,
    distance: float | None = None,
    orbit: float | None = None,
    background: str = "white",
    fps: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    seconds: float | None = None,
    calibrate: Switch = False,
    no_calibrate: Switch = False,
    gain: float = 1.0,
    smooth: float = 0.0,
    range_like: str | None = None,
    side_by_side: bool = False,
    sound: Path | None = None,
    motion_fps: float | None = None,
    head: Head = None,
    flame_mapping: Path | None = None,
    save_motion: Path | None = None,
    seed: int = 0,
    quiet: Quiet = False,
) -> None:
    """Move an avatar and write a film.

    MOTION is a built-in one - idle (breathes, blinks, looks about), talk, smile, expressions (each of the 52 ARKit
    shapes once), turntable, nod - or a file: a Live Link Face CSV, JSON or npz of ARKit weights, an npz of FLAME as
    GaussianAvatars writes it, a driving video, a folder of frames. What a file is, its content says.

    Examples: zero1toa animate avatar.glb talk -o talk.mp4 | zero1toa animate avatar.glb take_7.csv -o take.webm
    --background transparent | zero1toa animate avatar.glb me.mp4 -o me_as_it.mp4 --side-by-side

    Args:
        avatar: The avatar's file.
        motion: The name of a motion, or a file.
        output: An .mp4, .webm or .gif file, a .png for a strip of eight frames, or a folder for PNGs.
        size: Pixels of a square picture, or width and height as 1280x720.
        yaw: Degrees that the camera stands to the subject's left.
        pitch: Degrees upwards.
        zoom: Focal length as a multiple of the photo's.
        distance: Metres from camera to head, if not the photo's.
        orbit: Degrees that the camera swings to either side; from 360 on it goes round. The turntable swings 50.
        background: A colour (white, #2b2b2b) or transparent, which needs a .webm or a folder.
        fps: Frames a second of the film, if not those of the motion.
        start: Second of the motion at which the film begins.
        end: Second of the motion at which it ends.
        seconds: Length of a built-in motion.
        calibrate: Take the driver's own resting face out of the motion; by default for Live Link and FLAME files.
        no_calibrate: Leave the motion as it was recorded.
        gain: Factor on the expression.
        smooth: Strength of the smoothing; 1 is moderate.
        range_like: A motion of the person shown: each shape's range is stretched to what it is there.
        side_by_side: Show the driving video beside the avatar.
        sound: A file whose sound is heard, if not the driving video.
        motion_fps: Frame rate of a motion file that does not say its own.
        head: flame:FILE with your own FLAME: what the expressions of a FLAME file mean, and what a folder of
            GaussianAvatars was made on. Other avatars carry their head.
        flame_mapping: What the expression components of a FLAME file mean: npz with a matrix (E, 52).
        save_motion: Write the motion as it is shown, too: .csv (Live Link) or .npz.
        seed: Of a built-in motion.
        quiet: Print nothing but warnings and errors.
    """
    from .animation import AnimateConfig, animate_film, prepared
    from .avatar import Avatar
    from .motion import read_motion, write_live_link

    progress = Progress(quiet)
    if save_motion is not None and save_motion.suffix.lower() not in (".csv", ".npz"):
        raise InputError(f"A motion is written as .csv or .npz, not as {save_motion.name}.")
    if calibrate and no_calibrate:
        raise InputError("Say either --calibrate or --no-calibrate.")
    if head is not None and flame_mapping is not None:
        raise InputError("Say either --head or --flame-mapping: both say what FLAME's expressions mean.")
    source = read_motion(
        motion,
        fps=motion_fps,
        seconds=seconds,
        seed=seed,
        flame_mapping=flame_mapping,
        flame_head=head,
        progress=progress,
    )
    # The head of a motion in FLAME's language need not be that of the avatar.
    who = Avatar.load(avatar, None if source.kind == "flame" and not avatar.expanduser().is_dir() else head)
    for warning in source.warnings:
        progress.warn(warning)
    config = AnimateConfig(
        size=parse_size(size),
        yaw=yaw,
        pitch=pitch,
        zoom=zoom,
        distance=distance,
        orbit=orbit,
        background=background,
        fps=fps,
        start=start,
        end=end,
        calibrate=calibrate if calibrate or no_calibrate else None,
        gain=gain,
        smooth=smooth,
        range_like=None if range_like is None else read_motion(range_like).motion,
        side_by_side=side_by_side,
        sound=sound,
    )
    report = animate_film(who, source, output, config, progress)
    progress.say(f"Wrote {output}: {report}")
    if save_motion is not None:
        shown = prepared(source, config)
        if save_motion.suffix.lower() == ".csv":
            write_live_link(save_motion, shown)
        else:
            shown.save(save_motion)
        progress.say(f"Wrote {save_motion}")


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from "512" or "1280x720".

    Raises:
        InputError: it is neither.
    """
    width, cross, height = text.lower().partition("x")
    try:
        return int(width), int(height if cross else width)
    except ValueError:
        raise InputError(f"'{text}' is no size of a picture; write for example 512 or 1280x720.") from None
