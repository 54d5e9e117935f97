"""What the losses see and what they do not."""

import torch

from zero1toa.symgen.losses import gradient_distance, weighted_distance


def picture(size=32, seed=0):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(seed))


def test_equal_pictures_are_at_no_distance():
    one = torch.ones(32, 32)
    assert weighted_distance(picture(), picture(), one) == 0
    assert gradient_distance(picture(), picture(), one) == 0


def test_a_change_of_brightness_is_no_change_of_structure():
    assert gradient_distance(picture() + 0.2, picture(), torch.ones(32, 32)) < 1e-5
    assert abs(weighted_distance(picture() + 0.2, picture(), torch.ones(32, 32)) - 0.2) < 1e-5


def test_blur_costs_structure():
    sharp = picture()
    blurred = (sharp + sharp.roll(1, 0) + sharp.roll(1, 1) + sharp.roll((1, 1), (0, 1))) / 4
    assert gradient_distance(blurred, sharp, torch.ones(32, 32)) > 0.3


def test_what_has_no_weight_does_not_count():
    weight = torch.ones(32, 32)
    weight[:, :16] = 0
    other = picture()
    other[:, :16] = 0
    assert weighted_distance(other, picture(), weight) == 0
    assert gradient_distance(other, picture(), weight) == 0


def test_tiny_pictures_have_a_finite_distance():
    for size in (1, 2, 3, 5):
        distance = gradient_distance(picture(size), picture(size, 1), torch.ones(size, size))
        assert torch.isfinite(distance) or size == 1
