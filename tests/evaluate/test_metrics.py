import numpy as np
import pytest

from zero1toa.evaluate.metrics import landmark_distance, psnr, silhouette_iou, ssim


def test_psnr_of_a_known_error():
    truth = np.full((4, 4, 3), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(20)
    assert psnr(truth + 0.01, truth) == pytest.approx(40)
    half = truth.copy()
    half[:2] += 0.1  # half the pixels: half the mean square
    assert psnr(half, truth) == pytest.approx(20 + 10 * np.log10(2))
    assert psnr(truth, truth) == float("inf")


def test_psnr_counts_the_masks_pixels_only():
    truth = np.zeros((4, 4, 3))
    image = truth.copy()
    image[0, 0] = 0.1
    image[3, 3] = 1
    mask = np.zeros((4, 4), bool)
    mask[0, 0] = True
    assert psnr(image, truth, mask) == pytest.approx(20)
    assert np.isnan(psnr(image, truth, np.zeros((4, 4), bool)))


def test_ssim_of_equal_and_of_constant_pictures():
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 1, (24, 24, 3))
    assert ssim(noise, noise) == pytest.approx(1)
    a, b = 0.4, 0.6  # two constants: only the luminance term is left
    expected = (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)
    assert ssim(np.full((16, 16, 3), a), np.full((16, 16, 3), b)) == pytest.approx(expected, abs=1e-6)
    assert ssim(1 - noise, noise) < 0


def test_ssim_counts_the_masks_pixels_only():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1, (40, 40, 1))
    image = truth.copy()
    image[:, 30:] = 0.5
    mask = np.zeros((40, 40), bool)
    mask[:, :20] = True  # farther from the spoilt part than the window reaches
    assert ssim(image, truth, mask) == pytest.approx(1)
    assert ssim(image, truth, ~mask) < 0.8


def test_silhouettes_of_two_squares():
    first, second = np.zeros((10, 10)), np.zeros((10, 10))
    first[2:6, 2:6] = 0.9
    second[4:8, 2:6] = 0.6
    second[0] = 0.4  # covers less than half
    assert silhouette_iou(first, second) == pytest.approx(8 / 24)
    valid = np.zeros((10, 10), bool)
    valid[4:] = True
    assert silhouette_iou(first, second, valid) == pytest.approx(8 / 16)
    assert silhouette_iou(np.zeros((3, 3)), np.zeros((3, 3))) == 1


def test_landmark_distances_are_in_pixels_of_512():
    commanded = np.zeros((478, 3))
    found = commanded + [3, 4, 100]  # depth does not count
    assert landmark_distance(found, commanded, 256) == pytest.approx(10)
    found = commanded.copy()
    found[:2, 0] = [1, 3]
    assert landmark_distance(found, commanded, 512) == pytest.approx(4 / 478)
    assert landmark_distance(found, commanded, 512, (0, 1)) == pytest.approx(2)
