"""What CLIP's image encoders read."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

_MEAN = (0.48145466, 0.4578275, 0.40821073)  # OpenAI's, as the image processors of all its CLIP models have them
_STD = (0.26862954, 0.26130258, 0.27577711)


def clip_pixels(picture: Image.Image, size: int) -> Tensor:
    """(1, 3, size, size) a picture squeezed to a square whatever its shape, bicubic, and normalised."""
    squeezed = picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
    values = (np.asarray(squeezed, np.float32) / 255 - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)[None]
