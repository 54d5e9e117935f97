"""three.js and Spark, in a real browser, read what the export writes. Their versions are those of web/package.json."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zero1toa.avatar_io import AvatarData, export
from zero1toa.avatar_io.posed import Poser
from zero1toa.heads import arkit
from zero1toa.motion import Motion

MODULES = Path(__file__).parents[2] / "web" / "node_modules"
ORIGIN = "http://exports.test"
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]

PAGE = """
<script type="importmap">{"imports": {
    "three": "./modules/three/build/three.module.js",
    "three/addons/": "./modules/three/examples/jsm/",
    "three/examples/jsm/": "./modules/three/examples/jsm/",
    "@sparkjsdev/spark": "./modules/@sparkjsdev/spark/dist/spark.module.js"}}</script>
<script type="module">
    import * as THREE from 'three';
    import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
    import { SplatMesh } from '@sparkjsdev/spark';
    window.splats = async (url) => {
        const mesh = new SplatMesh({ url });
        await mesh.initialized;
        const rows = [];
        mesh.forEachSplat((i, center, scales, quaternion, opacity, color) =>
            rows.push([...center.toArray(), ...scales.toArray(), opacity, ...color.toArray()]));
        return rows;
    };
    window.played = async (url, seconds) => {
        const { scene, animations } = await new GLTFLoader().loadAsync(url);
        const mesh = scene.getObjectByProperty('isSkinnedMesh', true);
        const mixer = new THREE.AnimationMixer(scene);
        animations.forEach((clip) => mixer.clipAction(clip).play());
        mixer.setTime(seconds);
        scene.updateMatrixWorld(true);
        const points = [], point = new THREE.Vector3();
        for (let i = 0; i < mesh.geometry.attributes.position.count; i++)
            points.push(mesh.getVertexPosition(i, point).applyMatrix4(mesh.matrixWorld).toArray());
        const rest = Array.from(mesh.geometry.attributes.position.array);
        const image = mesh.material.map.image;
        return { points, rest, names: mesh.morphTargetDictionary, basic: mesh.material.isMeshBasicMaterial,
                 size: [image.width, image.height], head: scene.getObjectByName('head').isBone };
    };
    window.ready = true;
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A page, and the folder from which it loads files."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    named = os.environ.get("ZERO1TOA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if named is None:
        pytest.skip("no Chromium was found; install the system's package chromium, or set ZERO1TOA_CHROMIUM")
    if not (MODULES / "@sparkjsdev" / "spark").is_dir():
        pytest.skip("needs the viewer's packages: run npm ci in web")
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(PAGE)

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(ORIGIN).lstrip("/")
        file = MODULES / name.removeprefix("modules/") if name.startswith("modules/") else folder / name
        route.fulfill(path=file) if file.is_file() else route.fulfill(status=404)

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=named, args=ARGUMENTS)
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto(f"{ORIGIN}/index.html")
        page.wait_for_function("window.ready", timeout=60_000)
        yield page, folder
        browser.close()


@pytest.mark.parametrize("kind", ["ply", "spz"])
def test_spark_reads_the_splats(avatar: AvatarData, page: tuple[Any, Path], kind: str) -> None:
    """Spark packs what it reads: centres to half floats, scales to some 8 %, opacities and colours to bytes."""
    browser, folder = page
    write = {"ply": export.export_ply, "spz": export.export_spz}[kind]
    write(folder / f"a.{kind}", avatar)
    read = np.array(browser.evaluate("(url) => window.splats(url)", f"./a.{kind}"))
    splats = Poser(avatar).splats()
    ours = splats.turned_down() if kind == "ply" else splats
    shown = (splats.opacities > 0.01) & (splats.scales.min(1) > 1e-4)
    assert shown.sum() > 100
    np.testing.assert_allclose(read[:, :3], ours.means, atol=2e-4)
    np.testing.assert_allclose(read[shown, 3:6], ours.scales[shown], rtol=0.15)
    np.testing.assert_allclose(read[shown, 6], ours.opacities[shown], atol=0.01)
    np.testing.assert_allclose(read[shown, 7:], ours.colors[shown], atol=0.01)


def test_three_plays_the_mesh(avatar: AvatarData, page: tuple[Any, Path]) -> None:
    browser, folder = page
    share = np.linspace(0, 1, 5)[:, None]
    weights = np.zeros((5, 52))
    weights[:, [arkit.INDEX["jawOpen"], arkit.INDEX["mouthSmileLeft"]]] = share * [0.6, 0.9]
    turn = share * np.array([[0.2, 0.6, 0.1]])
    motion = Motion(4.0, weights, turn, turn / 3)
    export.export_mesh(folder / "a.glb", avatar, motion=motion, texture_size=64)
    played = browser.evaluate("(url) => window.played(url, 0.5)", "./a.glb")
    rest = np.array(played["rest"]).reshape(-1, 3)
    rows = np.linalg.norm(rest[:, None] - avatar.vertices, axis=-1).argmin(1)
    ours = Poser(avatar).vertices(motion.expression(2), motion.pose(2))[rows]
    followed = (avatar.skin_weights[rows] > 0).sum(1) <= 4  # all that three.js knows; made-up vertices have five
    assert followed.sum() > 50
    np.testing.assert_allclose(np.array(played["points"])[followed], ours[followed], atol=2e-6)
    assert played["names"] == arkit.INDEX
    assert played["basic"]  # as KHR_materials_unlit asks
    assert played["size"] == [64, 64]
    assert played["head"]
