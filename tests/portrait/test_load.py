"""Pictures of every kind come in as the same pixels; files that are none get one sentence."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from zero1toa.errors import InputError
from zero1toa.portrait.load import MAX_SIDE, load_photo, to_bytes


@pytest.fixture(scope="module")
def pixels():
    """(120, 96, 3) smooth colours without two equal corners, so that turns and mix-ups show."""
    y, x = np.mgrid[:120, :96]
    return np.stack([x * 2.5, y * 2.0, (x + y) * 1.1], -1).astype(np.uint8)


@pytest.fixture
def picture(pixels):
    return Image.fromarray(pixels)


def difference(photo, pixels):
    return np.abs(photo.image - pixels.astype(np.float32) / 255).mean()


def test_the_demo_is_offline_and_plain():
    photo = load_photo("demo")
    assert photo.image.shape == (512, 512, 3)
    assert photo.image.dtype == np.float32
    assert photo.alpha is None
    assert photo.source == "demo"
    assert photo.notes == []


@pytest.mark.parametrize(
    ("name", "mode", "tolerance"),
    [
        ("a.png", "RGB", 0),
        ("a.bmp", "RGB", 0),
        ("a.webp", "RGB", 0.02),
        ("a.jpg", "RGB", 0.02),
        ("a.jpg", "CMYK", 0.02),
        ("a.jpg", "YCbCr", 0.02),
        ("a.gif", "P", 0.1),
        ("a.tif", "LAB", 0.02),
    ],
)
def test_modes_and_formats_give_the_same_pixels(picture, pixels, tmp_path, name, mode, tolerance):
    picture.convert(mode).save(tmp_path / name)
    photo = load_photo(tmp_path / name)
    assert photo.image.shape == pixels.shape
    assert photo.image.dtype == np.float32
    assert photo.alpha is None
    assert difference(photo, pixels) <= tolerance + 1e-6


def test_grey_of_8_16_and_32_bits_is_the_same(pixels, tmp_path):
    grey = pixels[..., 1]
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "float.tif")
    for name in ("8.png", "16.png", "float.tif"):
        photo = load_photo(tmp_path / name)
        np.testing.assert_allclose(photo.image, np.repeat(grey[..., None] / 255, 3, 2), atol=1 / 255, err_msg=name)


def test_colour_of_16_bits(pixels, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "16.tif", pixels.astype(np.uint16) * 257, photometric="rgb")
    assert difference(load_photo(tmp_path / "16.tif"), pixels) < 1 / 255


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_transparency_is_kept_and_laid_over_grey(picture, pixels, tmp_path, name):
    cover = np.zeros(pixels.shape[:2], np.uint8)
    cover[30:] = 255
    cover[20:30] = 128
    picture.putalpha(Image.fromarray(cover))
    picture.save(tmp_path / name, lossless=True)
    photo = load_photo(tmp_path / name)
    np.testing.assert_allclose(photo.alpha, cover / 255, atol=1e-6)
    np.testing.assert_allclose(photo.image[30:], pixels[30:] / 255, atol=1e-6)
    np.testing.assert_allclose(photo.image[:20], 0.5)
    share = 128 / 255
    np.testing.assert_allclose(photo.image[20:30], share * pixels[20:30] / 255 + (1 - share) / 2, atol=1e-3)


def test_palette_with_a_transparent_entry(picture, tmp_path):
    picture.quantize(16).save(tmp_path / "a.png", transparency=3)
    photo = load_photo(tmp_path / "a.png")
    assert photo.alpha is not None
    assert set(np.unique(photo.alpha)) == {0.0, 1.0}


def test_opaque_alpha_is_no_alpha(picture, tmp_path):
    picture.putalpha(255)
    picture.save(tmp_path / "a.png")
    assert load_photo(tmp_path / "a.png").alpha is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(pixels, tmp_path, orientation):
    stored = {  # how a camera stores the upright picture under each tag
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    picture = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (picture.transpose(stored) if stored is not None else picture).save(tmp_path / "a.png", exif=exif)
    assert difference(load_photo(tmp_path / "a.png"), pixels) == 0


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_the_first_frame_of_an_animation_is_used_and_said(picture, pixels, tmp_path, name):
    others = [Image.new("RGB", picture.size, "red"), Image.new("RGB", picture.size, "blue")]
    picture.save(tmp_path / name, save_all=True, append_images=others)
    photo = load_photo(tmp_path / name)
    assert difference(photo, pixels) < 0.1
    assert photo.notes == ["The file holds 3 pictures; the first one is used."]


def test_a_profile_is_applied(picture, pixels, tmp_path):
    """A Lab profile on an RGB file cannot be used; sRGB changes nothing; a broken one is said."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "srgb.png", icc_profile=srgb)
    assert difference(load_photo(tmp_path / "srgb.png"), pixels) == 0
    picture.save(tmp_path / "broken.png", icc_profile=b"broken" * 40)
    photo = load_photo(tmp_path / "broken.png")
    assert difference(photo, pixels) == 0
    assert "profile" in photo.notes[0]


def test_a_wide_gamut_profile_changes_the_colours(picture, pixels, tmp_path):
    """sRGB with its red and blue primaries exchanged: reading it must exchange the channels."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    swapped = bytes(srgb).replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")
    picture.save(tmp_path / "a.png", icc_profile=swapped)
    photo = load_photo(tmp_path / "a.png")
    assert np.abs(photo.image - pixels[..., ::-1] / 255).mean() < 0.02


def test_large_pictures_are_reduced_and_said(tmp_path):
    Image.new("L", (5000, 3000), 77).save(tmp_path / "a.png")
    photo = load_photo(tmp_path / "a.png")
    assert photo.image.shape == (round(3000 * MAX_SIDE / 5000), MAX_SIDE, 3)
    np.testing.assert_allclose(photo.image, 77 / 255, atol=1 / 255)
    assert "reduced from 5000 x 3000" in photo.notes[0]


def encoded(picture, kind):
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


BAD = {
    "missing": (None, "There is no file"),
    "text.png": (b"this is no picture", "not a picture"),
    "empty.jpg": (b"", "not a picture"),
    "phone.heic": (b"\0\0\0\x18ftypheic", "save it as JPEG or PNG"),
    "truncated.jpg": (lambda p: encoded(p, "JPEG")[:-700], "damaged or cut short"),
    "truncated.png": (lambda p: encoded(p, "PNG")[:-100], "damaged or cut short"),
    "header.jpg": (lambda p: encoded(p, "JPEG")[:200], "damaged or cut short"),
    "tiny.png": (lambda p: encoded(p.resize((8, 8)), "PNG"), "8 x 8"),
    "huge.png": (lambda p: encoded(Image.new("1", (10001, 10001)), "PNG"), "100 megapixels"),
    "bomb.png": (lambda p: encoded(Image.new("1", (20001, 20001)), "PNG"), "megapixels"),
    "strip.png": (lambda p: encoded(Image.new("1", (20000, 70)), "PNG"), "strip"),
    "clear.png": (lambda p: encoded(Image.new("RGBA", (80, 80)), "PNG"), "transparent"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_sentence(picture, tmp_path, name):
    make, said = BAD[name]
    path = tmp_path / name
    if make is not None:
        path.write_bytes(make(picture) if callable(make) else make)
    with pytest.raises(InputError) as raised:
        load_photo(path)
    sentence = str(raised.value)
    assert said in sentence
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        load_photo(tmp_path)


def test_random_damage_never_shows_a_traceback(picture, tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = encoded(picture, kind)
        for _ in range(12):
            broken = bytearray(whole)
            for at in rng.integers(0, min(len(whole), 400), 3):
                broken[at] = rng.integers(0, 256)
            (tmp_path / "a").write_bytes(bytes(broken))
            try:
                photo = load_photo(tmp_path / "a")
            except InputError:
                continue
            assert photo.image.shape[2] == 3


def test_bytes_round_trip(pixels):
    np.testing.assert_array_equal(to_bytes(pixels.astype(np.float32) / 255), pixels)
