"""The closed-form last step: colours."""

import numpy as np
import torch

from zero1toa.camera import Camera
from zero1toa.config import SettleConfig
from zero1toa.portrait.open_head import open_head
from zero1toa.splats import Gaussians, rasterize, to_world, triangle_frames
from zero1toa.symgen.dataset import Sample
from zero1toa.symgen.limits import best_facing
from zero1toa.symgen.settle import Weighed, settled_colors
from zero1toa.symgen.shade import ShadeField, shade_field

FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
SQUARE = torch.tensor([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.1, 0.1, 0.0], [-0.1, 0.1, 0.0]])
SIZE = 48


def scene(count=60):
    random = torch.Generator().manual_seed(0)
    splats = Gaussians(
        0.4 * torch.rand(count, 3, generator=random) - 0.2,
        torch.randn(count, 4, generator=random),
        torch.full((count, 3), -2.2),
        torch.full((count,), 1.0),
        torch.rand(count, 3, generator=random),
        torch.arange(count) % 2,
    )
    camera = Camera.orbit(distance=0.5, size=SIZE)
    with torch.no_grad():
        out = rasterize(*to_world(splats, SQUARE, FACES), camera)
    ones = torch.ones(SIZE, SIZE)
    sample = Sample(out.image, out.alpha, ones, camera, torch.zeros(52), torch.zeros(6, 3))
    return splats, sample


def no_field(splats):
    count = len(splats.means)
    return ShadeField(torch.zeros(count, 8, dtype=torch.long), torch.zeros(count, 8), 1)


def settled(splats, sample, *, share=None, rounds=20, hold=1e-3, field=None, vertices=SQUARE):
    share = torch.ones(len(splats.means)) if share is None else share
    config = SettleConfig(rounds=rounds, hold=hold, field_hold=hold, tolerance=0)
    pictures = [(Weighed(sample, 1.0), vertices)]
    return settled_colors(splats, pictures, FACES, share, field or no_field(splats), torch.ones(len(share)), config)


def error(splats, colors, sample):
    with torch.no_grad():
        image = rasterize(*to_world(splats._replace(colors=colors), SQUARE, FACES), sample.camera).image
    return (sample.confidence[..., None] * (image - sample.image) ** 2).mean().sqrt().item()


def test_the_colours_that_made_a_picture_are_found_again():
    splats, sample = scene()
    grey = splats._replace(colors=torch.full_like(splats.colors, 0.5))
    before = error(splats, grey.colors, sample)
    assert error(splats, settled(grey, sample), sample) < 0.05 * before


def test_each_round_brings_the_picture_closer():
    splats, sample = scene()
    grey = splats._replace(colors=torch.full_like(splats.colors, 0.5))
    errors = [error(splats, settled(grey, sample, rounds=rounds), sample) for rounds in (0, 1, 4, 16)]
    assert errors == sorted(errors, reverse=True) and errors[0] > 2 * errors[2]


def test_what_is_held_stays_and_the_rest_makes_up_for_it():
    splats, sample = scene()
    grey = splats._replace(colors=torch.full_like(splats.colors, 0.5))
    share = (torch.arange(len(splats.means)) % 3 > 0).float()
    colors = settled(grey, sample, share=share)
    assert torch.equal(colors[share == 0], grey.colors[share == 0])
    assert error(splats, colors, sample) < error(splats, grey.colors, sample)


def test_what_no_picture_shows_and_what_does_not_count_stays():
    splats, sample = scene()
    grey = splats._replace(colors=torch.full_like(splats.colors, 0.5))
    blind = sample._replace(confidence=torch.zeros_like(sample.confidence))
    torch.testing.assert_close(settled(grey, blind), grey.colors)
    behind = SQUARE + torch.tensor([0.0, 0.0, 2.0])  # behind the camera
    colors = settled(grey, sample, rounds=5, hold=0.1, vertices=behind)
    torch.testing.assert_close(colors, grey.colors)


def test_colours_stay_within_the_display_and_no_rounds_change_nothing():
    splats, sample = scene()
    bright = sample._replace(image=sample.image * 3)
    colors = settled(splats, bright)
    assert colors.min() >= 0 and colors.max() <= 1
    assert torch.equal(settled(splats, bright, rounds=0), splats.colors)


def test_held_colours_follow_light_and_no_spots():
    splats, sample = scene(400)
    splats = splats._replace(log_scales=splats.log_scales - 1.2)  # so small that each is seen by itself
    field = shade_field(splats, SQUARE, FACES, torch.ones(400), spacing=0.08)
    held = torch.zeros(400)
    grey = splats._replace(colors=torch.full_like(splats.colors, 0.5))
    places = to_world(splats, SQUARE, FACES).means
    light = 0.5 + 2 * places[:, :1].expand(-1, 3)  # .3 to .7 from one side to the other
    spots = 0.5 + 0.4 * torch.sign(torch.randn(400, 1, generator=torch.Generator().manual_seed(2))).expand(-1, 3)

    def left(colors):
        """Share of the error that is left where the picture has these colours."""
        with torch.no_grad():
            image = rasterize(*to_world(splats._replace(colors=colors), SQUARE, FACES), sample.camera).image
        shown = sample._replace(image=image)
        return error(splats, settled(grey, shown, share=held, field=field), shown) / error(splats, grey.colors, shown)

    assert left(light) < 0.2
    assert left(spots) > 0.7


def test_held_colours_change_by_no_more_than_the_tolerance():
    splats, sample = scene(400)
    field = shade_field(splats, SQUARE, FACES, torch.ones(400), spacing=0.08)
    grey = splats._replace(colors=torch.full_like(splats.colors, 0.5))
    pictures = [(Weighed(sample, 1.0), SQUARE)]
    none = SettleConfig(hold=1e-3, field_hold=1e6, tolerance=0)
    some = SettleConfig(hold=1e-3, field_hold=1e6, tolerance=0.1, again=8)
    held = torch.zeros(400)
    kept, moved = (
        settled_colors(grey, pictures, FACES, held, field, torch.ones(400), config) for config in (none, some)
    )
    torch.testing.assert_close(kept, grey.colors, atol=1e-3, rtol=0)
    assert 0.09 < (moved - kept).abs().max() < 0.1001
    assert error(splats, moved, sample) < 0.8 * error(splats, kept, sample)
    assert torch.equal(
        settled_colors(grey, pictures, FACES, held, no_field(splats), torch.zeros(400), some), grey.colors
    )


def test_what_other_views_show_larger_gives_less():
    model = open_head("default")
    head = model.personalize(torch.zeros(model.num_identity))
    best = best_facing(head)
    normals = triangle_frames(head.vertices, torch.as_tensor(head.topology.faces)).rotation[..., 1].numpy()
    aside, ahead, back = np.abs(normals[:, 0]) > 0.95, normals[:, 2] > 0.95, normals[:, 2] < -0.95
    assert best[ahead].min() > 0.95 and best[aside].min() > 0.5 and best[back].max() < 0.5 * best[aside].min()
