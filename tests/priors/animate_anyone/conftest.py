"""Tiny models with random weights; one thread, since a pool spins more than it works on networks of this size."""

from dataclasses import replace

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def needs_diffusers():
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")


@pytest.fixture(scope="session")
def tiny_model(needs_diffusers):
    """Makes a tiny prior of a name; networks are made once a name."""
    from zero1toa.config import DiffusionConfig
    from zero1toa.priors.animate_anyone.networks import random_networks
    from zero1toa.priors.animate_anyone.prior import AnimateAnyone
    from zero1toa.priors.animate_anyone.spec import SPECS, tiny

    made = {}

    def make(name="aniportrait", **options):
        spec = tiny(SPECS[name])
        if name not in made:
            made[name] = random_networks(spec, 0).ready(spec, torch.device("cpu"), torch.float32, None)
        options = {"landmarks": "projected", **options}
        return AnimateAnyone(replace(spec, steps=2), made[name], DiffusionConfig(**options))

    return make


@pytest.fixture(scope="session")
def reference(subject):
    import numpy as np

    from zero1toa.portrait.texture import HeadTexture
    from zero1toa.priors import Reference

    texture = HeadTexture(subject.textures[0], np.ones(subject.textures[0].shape[:2], np.float32))
    return Reference(subject.portrait(96), subject.head, texture)
