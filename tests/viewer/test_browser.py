"""The viewer in a real browser, compared with the Python renderer. Skipped where there is no Chromium."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest
from painted import painted_avatar
from scipy.spatial.transform import Rotation
from viewer_page import Viewer

from zero1toa.cli import main
from zero1toa.heads import arkit
from zero1toa.motion import BUILTIN_NAMES, builtin
from zero1toa.viewer import ViewerServer, standalone_page

FEWEST_DB = 25.0  # of the picture in the browser against Python's; 40 and more are usual
NECK_SHARE = 0.4  # of a turn of the head


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.mean((a - b) ** 2), 1e-12)))


def python_picture(avatar, yaw, pitch, expression, turn=(0, 0, 0), size=256):
    vector = Rotation.from_euler("YXZ", np.radians(turn)).as_rotvec()
    pose = {"neck": tuple(NECK_SHARE * vector), "head": tuple((1 - NECK_SHARE) * vector)}
    return avatar.render(avatar.front_camera(yaw, pitch, size), expression, pose)


@pytest.mark.parametrize(
    ("yaw", "pitch", "expression", "turn"),
    [
        (0, 0, {}, (0, 0, 0)),
        (30, 12, {"jawOpen": 0.8, "mouthSmileLeft": 0.9}, (0, 0, 0)),
        (-50, -8, {"eyeBlinkLeft": 1.0, "eyeLookOutRight": 0.9, "browInnerUp": 1.0}, (20, 10, 5)),
        (180, 0, {}, (0, 0, 0)),
    ],
)
def test_the_picture_is_that_of_python(view, painted, yaw, pitch, expression, turn):
    view.call(
        "([yaw, pitch, weights, turn]) => { zero1toa.setCamera(yaw, pitch); zero1toa.setExpression(weights);"
        " zero1toa.setHeadTurn(...turn); }",
        [yaw, pitch, expression, list(turn)],
    )
    expected = python_picture(painted, yaw, pitch, expression, turn)
    found = view.picture()
    assert (found[..., 3] == 1).all()
    assert psnr(found[..., :3], expected) > FEWEST_DB
    # The comparison can fail: the same face from elsewhere does not pass.
    assert psnr(found[..., :3], python_picture(painted, yaw + 15, pitch, {})) < FEWEST_DB
    assert view.errors == []


def test_a_slider_moves_the_face(view):
    before = view.picture(128)
    slider = view.page.locator("#shape-jawOpen")
    slider.fill("0.9")
    view.wait("Math.abs(zero1toa.weights().jawOpen - 0.9) < 1e-6")
    changed = np.abs(view.picture(128) - before).max(-1) > 0.05
    rows = np.flatnonzero(changed.any(1))
    assert changed.mean() > 0.002
    assert rows.min() > 0.4 * 128  # the mouth and the chin, not the forehead
    slider.fill("0")
    view.wait("zero1toa.weights().jawOpen === 0")
    assert np.abs(view.picture(128) - before).max() < 0.02


def test_a_preset_sets_its_sliders_and_search_finds_them(view):
    view.page.locator(".chip", has_text="Smile").first.click()
    view.wait("zero1toa.weights().mouthSmileLeft > 0.7")
    view.page.locator(".search").fill("smile")
    shown = view.page.locator(".slider:visible").count()
    assert shown == 2
    assert float(view.page.locator("#shape-mouthSmileLeft").input_value()) > 0.7
    view.page.locator(".search").fill("")
    view.page.locator("#reset-face").click()
    view.wait("zero1toa.weights().mouthSmileLeft === 0")


def test_every_shape_has_a_slider_with_a_name(view):
    labels = view.call(
        "[...document.querySelectorAll('.slider[data-name]')].map((row) => [row.dataset.name,"
        " row.querySelector('input').getAttribute('aria-label')])"
    )
    assert {name for name, _ in labels} == set(arkit.NAMES)
    assert all(label for _, label in labels)


NAMELESS = """() => {
    const named = (node) => ['aria-label', 'aria-labelledby'].some((name) => node.getAttribute(name));
    const labelled = (node) => node.closest('label') || document.querySelector(`label[for="${node.id}"]`);
    return [...document.querySelectorAll('button, input, select, canvas, video, [role=tabpanel]')]
        .filter((node) => !named(node) && !node.textContent.trim() && !labelled(node))
        .map((node) => node.outerHTML);
}"""


def test_every_control_says_what_it_is(view):
    assert view.call(NAMELESS) == []


def test_the_built_in_motions_play(view, painted):
    assert view.call("zero1toa.motions()") == list(BUILTIN_NAMES)
    view.call("zero1toa.play('talk')")
    view.wait("zero1toa.time() > 0")
    view.call("zero1toa.pause(); zero1toa.seek(2.0)")
    motion = builtin("talk")
    frame = round(2.0 * motion.fps)
    view.wait("zero1toa.time() === 2")
    found = view.picture()[..., :3]
    shown = view.call("zero1toa.weights()")
    assert max(abs(shown[name] - w) for name, w in zip(arkit.NAMES, motion.weights[frame], strict=True)) < 0.003
    expected = painted.render(painted.front_camera(size=256), motion.expression(frame), motion.pose(frame))
    assert psnr(found, expected) > FEWEST_DB


def test_a_recording_is_dropped_and_played(view, tmp_path):
    path = tmp_path / "take.csv"
    names = [name[0].upper() + name[1:] for name in arkit.NAMES]
    rows = [
        f"00:00:{i // 60:02d}:{i % 60:02d}.0,61," + ",".join(["0.5" if n == "JawOpen" else "0" for n in names])
        for i in range(130)
    ]
    path.write_text("\n".join(["Timecode,BlendShapeCount," + ",".join(names), *rows]))
    view.drop(path)
    view.wait("zero1toa.motions().includes('take.csv')")
    view.wait("Math.abs(zero1toa.weights().jawOpen - 0.5) < 1e-6")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("broken.glb", lambda whole: whole[: len(whole) // 2], "damaged"),
        ("text.glb", lambda whole: b"this is no avatar", "no GLB"),
        ("broken.csv", lambda whole: b"a,b,c\n1,2,3\n", "Live Link"),
        ("picture.png", lambda whole: b"\x89PNG", "opens avatars"),
    ],
)
def test_a_broken_file_gives_a_message_and_leaves_the_avatar(view, painted_file, tmp_path, name, content, word):
    before = view.picture(96)
    path = tmp_path / name
    path.write_bytes(content(painted_file.read_bytes()))
    view.drop(path)
    assert word in view.alert()
    assert np.abs(view.picture(96) - before).max() < 0.02


def test_looks_and_a_transparent_background(view):
    splats = view.picture(128)
    view.page.locator("[data-look=mesh]").click()
    mesh = view.picture(128)
    view.call("zero1toa.setBackground(null)")
    view.page.locator("[data-look=wire]").click()
    wire = view.picture(128)
    assert np.abs(mesh - splats).mean() > 0.01
    assert wire[0, 0, 3] == 0
    assert 0.2 < (wire[..., 3] > 0.5).mean() < 0.9
    view.call("zero1toa.setLook('splats')")
    see_through = view.picture(128)
    assert see_through[0, 0, 3] == 0
    assert (see_through[..., 3] > 0.9).mean() > 0.2


def test_pictures_and_films_are_saved(view):
    with view.page.expect_download() as download:
        view.page.locator("#screenshot").click()
    assert download.value.suggested_filename == "painted.png"
    assert Path(download.value.path()).read_bytes()[:4] == b"\x89PNG"
    view.page.locator("#record").click()
    view.wait("document.querySelector('#record').getAttribute('aria-pressed') === 'true'")
    for weight in (0.2, 0.5, 0.8):
        view.call("weight => zero1toa.setExpression({ jawOpen: weight })", weight)
        view.page.wait_for_timeout(300)
    with view.page.expect_download() as download:
        view.page.locator("#record").click()
    film = Path(download.value.path()).read_bytes()
    assert film[:4] == b"\x1a\x45\xdf\xa3"  # EBML, which WebM is
    assert len(film) > 1000


def test_keys_work_from_the_page(view):
    view.page.locator("#canvas").focus()
    view.page.keyboard.press("m")
    assert view.page.locator("[data-look=mesh]").get_attribute("aria-pressed") == "true"
    view.page.keyboard.press("/")
    assert view.call("document.activeElement.type") == "search"
    view.page.keyboard.type("jaw")  # goes into the field and does nothing else
    assert view.page.locator(".search").input_value() == "jaw"
    view.page.locator(".search").fill("")
    view.page.keyboard.press("Escape")
    theme = view.call("document.documentElement.dataset.theme")
    view.page.keyboard.press("t")
    assert view.call("document.documentElement.dataset.theme") != theme
    view.page.keyboard.press("?")
    assert view.page.locator("#help-dialog").is_visible()
    view.page.keyboard.press("Escape")


def test_eyes_follow_the_pointer_and_lids_blink(view):
    view.page.locator("#tab-drive").click()
    view.page.locator("#follow").check()
    box = view.page.locator("#canvas").bounding_box()
    view.page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 0.5 * box["height"])
    view.wait("zero1toa.weights().eyeLookOutLeft > 0.1 && zero1toa.weights().eyeLookInRight > 0.1")
    view.page.locator("#follow").uncheck()
    view.wait("zero1toa.weights().eyeLookOutLeft < 0.01")
    view.page.locator("#blink").check()
    view.wait("zero1toa.weights().eyeBlinkLeft > 0.3")
    view.page.locator("#blink").uncheck()
    view.page.locator("#tab-face").click()


def test_without_a_tracker_the_webcam_says_so(view):
    view.page.locator("#tab-drive").click()
    assert view.page.locator("#webcam-start").is_disabled()
    text = view.page.locator(".drive [role=status]").inner_text()
    assert "not part of zero1toa" in text and "face_landmarker.task" in text
    view.page.locator("#tab-face").click()


STUB_LIBRARY = """
export const FaceLandmarker = { createFromOptions: async (fileset, options) => {
  if (!fileset.wasmLoaderPath || !options.baseOptions.modelAssetPath) throw new Error('files are missing');
  const categories = [{ categoryName: 'jawOpen', score: 0.6 }, { categoryName: 'eyeBlinkLeft', score: 0.9 }];
  return { close() {}, detectForVideo: () => ({ faceBlendshapes: [{ categories }],
    facialTransformationMatrixes: [{ data: [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,-30,1] }] }) };
} };
"""


def test_the_users_tracker_drives_the_face(view, tmp_path):
    """With a library that always sees the same face: what is tested is ours, from the files to the weights."""
    files = {
        "vision_bundle.mjs": STUB_LIBRARY,
        "vision_wasm_internal.js": "",
        "vision_wasm_internal.wasm": "",
        "face.task": "x",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    view.page.locator("#tab-drive").click()
    view.page.locator("#tracker-files").set_input_files([tmp_path / name for name in files])
    view.page.locator("#webcam-start").click()
    view.wait("zero1toa.weights().jawOpen > 0.5 && zero1toa.weights().eyeBlinkRight > 0.8")  # mirrored
    view.page.locator("#webcam-start").click()
    view.wait("zero1toa.weights().jawOpen === 0")
    assert view.errors == []
    view.page.locator("#tab-face").click()


def test_the_picture_comes_back_when_the_graphics_card_was_reset(browser, server):
    viewer = Viewer(browser, server.url).loaded()
    viewer.call("zero1toa.setCamera(70, 0)")
    before = viewer.picture(128)
    viewer.call(
        """() => {
            const gl = document.querySelector('#canvas').getContext('webgl2');
            globalThis.loss = gl.getExtension('WEBGL_lose_context');
            loss.loseContext();
        }"""
    )
    viewer.wait("document.querySelector('#canvas').getContext('webgl2').isContextLost()")
    viewer.call("setTimeout(() => loss.restoreContext(), 50)")
    viewer.wait("!document.querySelector('#canvas').getContext('webgl2').isContextLost()")
    viewer.page.wait_for_timeout(500)
    assert psnr(viewer.picture(128), before) > FEWEST_DB
    viewer.close()


def test_another_avatar_is_dropped(browser, server, tmp_path):
    viewer = Viewer(browser, server.url).loaded()
    painted_avatar(step=9).save(tmp_path / "second.glb")
    viewer.drop(tmp_path / "second.glb")
    viewer.wait("document.querySelector('#title').textContent === 'second'")
    fewer = viewer.call("zero1toa.statistics().splats")
    viewer.picture(64)
    viewer.wait(f"zero1toa.statistics().activeSplats === {fewer}")
    assert viewer.errors == []
    viewer.close()


def test_the_single_file_works_from_the_disk(browser, painted, painted_file, tmp_path):
    page = tmp_path / "painted.html"
    assert main(["export", str(painted_file), "--to", "html", "-o", str(page), "-q"]) == 0
    viewer = Viewer(browser, page.as_uri(), offline=True).loaded()
    viewer.call("zero1toa.setBackground('#ffffff'); zero1toa.setExpression({ jawOpen: 0.7 })")
    assert psnr(viewer.picture()[..., :3], python_picture(painted, 0, 0, {"jawOpen": 0.7})) > FEWEST_DB
    assert viewer.call("zero1toa.motions()") == list(BUILTIN_NAMES)
    away = [url for url in viewer.requests if not url.startswith(("file:", "blob:", "data:"))]
    assert away == []
    assert viewer.errors == []
    viewer.close()


@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_nothing_sticks_out_of_the_page(browser, server, size):
    viewer = Viewer(browser, server.url, viewport={"width": size[0], "height": size[1]}).loaded()
    outside = viewer.call(
        """() => [...document.querySelectorAll('button, select, .panel, .timeline, .brand')].filter((node) => {
            const box = node.getBoundingClientRect();
            return box.width && (box.left < -1 || box.right > innerWidth + 1);
        }).map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert viewer.call("document.documentElement.scrollWidth") <= size[0]
    viewer.close()


def test_the_page_without_an_avatar_asks_for_one(browser, tmp_path):
    from zero1toa.viewer.page import CLIENT_FILES, client_file

    for name in CLIENT_FILES:
        (tmp_path / name).write_bytes(client_file(name))
    text = (tmp_path / "index.html").read_text().replace('<script type="module" src="app.js"></script>', "")
    script = (tmp_path / "app.js").read_text().replace("</script", "<\\/script")
    (tmp_path / "index.html").write_text(f'{text}<script type="module">{script}</script>')
    viewer = Viewer(browser, (tmp_path / "index.html").as_uri())
    viewer.wait("document.body.dataset.state === 'empty'")
    assert viewer.page.locator("#open-first").is_visible()
    viewer.close()


HOSTILE = "<img src=x onerror='globalThis.owned=1'><script>globalThis.owned=1</script>"


@pytest.fixture(scope="module")
def hostile_file(painted, tmp_path_factory):
    """An avatar whose name and provenance are HTML."""
    avatar = dataclasses.replace(painted, provenance={**painted.provenance, HOSTILE: HOSTILE, "source": HOSTILE})
    path = tmp_path_factory.mktemp("hostile") / "a.glb"
    avatar.save(path)
    return path


@pytest.mark.parametrize("kind", ["server", "network", "file"])
def test_what_an_avatar_says_of_itself_is_text(browser, hostile_file, tmp_path, kind):
    content = hostile_file.read_bytes()
    if kind == "file":
        (tmp_path / "page.html").write_bytes(standalone_page(content, f"{HOSTILE}.glb"))
        address = (tmp_path / "page.html").as_uri()
    else:
        server = ViewerServer(content, f"{HOSTILE}.glb", host="127.0.0.1" if kind == "server" else "0.0.0.0")
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        address = server.url
    viewer = Viewer(browser, address).loaded()
    try:
        viewer.wait("document.getElementById('title').textContent.includes('onerror')")
        viewer.page.locator("#tab-about").click()
        viewer.wait("document.getElementById('panel-about').textContent.includes('onerror')")
        viewer.drop(hostile_file, f"{HOSTILE}.glb")
        (tmp_path / "no.csv").write_text(f"{HOSTILE},x\n1,2\n")
        viewer.drop(tmp_path / "no.csv", f"{HOSTILE}.csv")  # no recording: the message names the file
        assert "onerror" in viewer.alert()
        assert viewer.call("globalThis.owned") is None
        assert viewer.call("document.querySelectorAll('img[src=x], body script:not([type])').length") == 0
        assert all(request.startswith((address, "blob:", "data:")) for request in viewer.requests), viewer.requests
        # Even what does get into the page is not run.
        viewer.call("document.body.insertAdjacentHTML('beforeend', \"<img src=x onerror='globalThis.owned=1'>\")")
        viewer.wait("performance.now() > 0")
        assert viewer.call("globalThis.owned") is None
    finally:
        viewer.close()
        if kind != "file":
            server.close()
