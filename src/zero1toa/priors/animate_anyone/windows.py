"""Windows over a clip that is longer than the network sees at a time."""

from __future__ import annotations

from typing import Literal


def windows(frames: int, size: int, overlap: int, last: Literal["cyclic", "clamp"] = "cyclic") -> list[list[int]]:
    """Indices of the frames of each window. They are the same at every denoising step.

    Args:
        frames: of the clip.
        size: frames of a window.
        overlap: frames that neighbours share.
        last: what a window that reaches beyond the end does: "cyclic" goes on with the first frames of the clip, as the
            published schedulers do (`context.py`, "uniform" with its step always 0); "clamp" is moved back instead.
    """
    assert 0 <= overlap < size, (size, overlap)
    if frames <= size:
        return [list(range(frames))]
    starts = range(0, frames, size - overlap)
    if last == "cyclic":
        return [[index % frames for index in range(start, start + size)] for start in starts]
    begun = sorted({min(start, frames - size) for start in starts})
    return [list(range(start, start + size)) for start in begun]
