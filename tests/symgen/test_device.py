"""Where the Gaussians are trained."""

import pytest
import torch

from zero1toa.errors import InputError
from zero1toa.symgen import device
from zero1toa.symgen.device import training_device


def test_without_a_gpu_the_cpu_is_taken_and_a_gpu_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_device("auto") == training_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="doctor"):
        training_device("cuda")
    with pytest.raises(InputError, match="tpu"):
        training_device("tpu")


def test_a_gpu_is_taken_where_gsplat_is_installed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: object())
    assert training_device("auto") == training_device("cuda") == torch.device("cuda")
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    assert training_device("auto") == torch.device("cpu")
    with pytest.raises(Exception, match="gsplat"):
        training_device("cuda")


@pytest.mark.gpu
def test_an_avatar_is_trained_on_a_gpu(demo_portrait):
    pytest.importorskip("gsplat")
    if not torch.cuda.is_available():
        pytest.skip("there is no NVIDIA GPU here")
    import zero1toa

    avatar = zero1toa.create(demo_portrait, preset="debug", device="cuda")
    assert avatar.splats.means.device.type == "cpu"
