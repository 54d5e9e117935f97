"""The package as a whole: what importing it loads, which names it shows, what is declared about it."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zero1toa

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "mediapipe", "numba", "llvmlite", "scipy", "skimage", "av", "PIL", "pymatting")
NEVER = ("cv2", "matplotlib", "jax", "tensorflow")

PUBLIC_NAMES = {
    "AnimateConfig",
    "Avatar",
    "Camera",
    "CreateConfig",
    "FitConfig",
    "Motion",
    "Portrait",
    "Zero1toaError",
    "__version__",
    "animate",
    "create",
    "fit",
    "load",
}


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after running `code`."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", ["zero1toa", "zero1toa.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert not modules_after(f"import {module}") & {*HEAVY, *NEVER}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["create", "--help"], ["batch", "--help"]])
def test_what_only_prints_loads_nothing_heavy(arguments: list[str]) -> None:
    """So that `--help` starts in less than half a second."""
    code = f"from zero1toa.cli import main\ntry:\n    main({arguments})\nexcept SystemExit:\n    pass"
    assert not modules_after(code) & {*HEAVY, "numpy", *NEVER}


def test_every_module_imports_without_opencv_and_matplotlib() -> None:
    """They come with MediaPipe, but OpenCV needs libGL, which a bare machine lacks; nothing of ours may use them."""
    code = """
import importlib, pkgutil, zero1toa
for module in pkgutil.walk_packages(zero1toa.__path__, "zero1toa."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    loaded = modules_after(code)
    assert "torch" in loaded  # the walk did reach the modules
    assert not loaded & {*NEVER, "mediapipe"}


def test_every_module_imports_without_the_extra_for_diffusion() -> None:
    """As on a machine that lacks its packages: a name set to None cannot be imported."""
    code = """
import sys, importlib, pkgutil
for name in ("diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub"):
    sys.modules[name] = None
import zero1toa, zero1toa.priors
for module in pkgutil.walk_packages(zero1toa.__path__, "zero1toa."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from zero1toa.config import DiffusionConfig
from zero1toa.errors import MissingDependency
try:
    zero1toa.priors.load_prior("aniportrait", diffusion=DiffusionConfig(random_weights=True))
except MissingDependency as error:
    assert "diffusers" in str(error) and "zero1toa[diffusion]" in str(error), error
else:
    raise AssertionError
zero1toa.priors.load_prior("reprojection")
"""
    assert "torch" in modules_after(code)


def test_fitting_a_face_loads_neither_opencv_nor_matplotlib() -> None:
    loaded = modules_after("from zero1toa.portrait.mediapipe_runtime import mediapipe\nmediapipe()")
    assert "mediapipe" in loaded
    assert not loaded & set(NEVER)


def test_public_names() -> None:
    assert set(zero1toa.__all__) == PUBLIC_NAMES
    assert set(dir(zero1toa)) >= PUBLIC_NAMES


@pytest.mark.parametrize("name", sorted(PUBLIC_NAMES))
def test_each_public_name_exists(name: str) -> None:
    assert getattr(zero1toa, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        zero1toa.no_such_name  # noqa: B018


def test_version_has_one_source() -> None:
    assert importlib.metadata.version("zero1toa") == zero1toa.__version__


def test_the_changelog_tells_of_this_version() -> None:
    assert f"\n## {zero1toa.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_types_are_published() -> None:
    assert (Path(zero1toa.__file__).parent / "py.typed").is_file()


def test_python_m_runs_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "zero1toa", "--help"], stdout=subprocess.PIPE, text=True, check=True)
    for command in ("create", "fit", "render", "view", "export", "doctor"):
        assert command in result.stdout


def pinned() -> set[str]:
    """Names of the packages in the lock."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {line.partition("==")[0] for line in lines if line and not line.startswith("#")}


def test_the_lock_pins_every_dependency() -> None:
    declared = importlib.metadata.requires("zero1toa") or []
    needed = {re.split(r"[^\w.-]", line)[0].lower() for line in declared if "extra ==" not in line}
    assert len(needed) > 5
    assert needed <= pinned()


def test_the_lock_brings_neither_cuda_nor_what_mediapipe_asks_for_in_vain() -> None:
    unwanted = {
        name for name in pinned() if name.startswith(("nvidia-", "cuda-", "triton", "opencv-", "jax", "matplotlib"))
    }
    assert not unwanted


@pytest.mark.parametrize(
    "page",
    sorted(
        str(p.relative_to(ROOT))
        for p in (ROOT / "README.md", ROOT / "benchmarks/README.md", *(ROOT / "docs").glob("*.md"))
    ),
)
def test_relative_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert missing == []
