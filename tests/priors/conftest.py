"""Two made-up persons with coarse textures, and drives of a few small frames."""

import pytest
import torch

from zero1toa.heads import arkit
from zero1toa.priors.protocol import Drive
from zero1toa.priors.subjects import photo_camera, random_subject

SIZE = 64


@pytest.fixture(scope="session")
def subject():
    return random_subject(3, 128)


@pytest.fixture(scope="session")
def other_subject():
    return random_subject(4, 128)


@pytest.fixture(scope="session")
def make_drive():
    def make(yaws=(0.0,), size=SIZE, **weights):
        expressions = torch.zeros(len(yaws), 52)
        for name, value in weights.items():
            expressions[:, arkit.INDEX[name]] = value
        return Drive([photo_camera(yaw, size=size) for yaw in yaws], expressions, torch.zeros(len(yaws), 6, 3))

    return make
