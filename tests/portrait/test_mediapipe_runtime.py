"""MediaPipe comes in without its baggage and without a word."""

import os
import subprocess
import sys

import numpy as np
import pytest

from zero1toa.errors import MissingDependency
from zero1toa.portrait import mediapipe_runtime

_BARE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cv2", "matplotlib", "jax", "tensorflow"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import numpy as np
import skimage.data
from zero1toa.portrait import mediapipe_runtime as runtime

image = skimage.data.astronaut()
for full in (False, True):
    assert len(runtime.find_faces(image, full_range=full, threshold=0.5)) == 1
reading = runtime.read_face(np.ascontiguousarray(image[40:232, 128:320]))
assert reading.landmarks.shape == (478, 3), reading.landmarks.shape
assert runtime.person_mask(image).shape == (512, 512)
left = [name for name in sys.modules if name.partition(".")[0] in ("cv2", "matplotlib")]
assert not left, left
sys.stderr.write("own words\\n")
"""


def test_a_bare_machine_suffices_and_standard_error_stays_clean():
    done = subprocess.run([sys.executable, "-c", _BARE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "own words\n"
    assert done.stdout == ""


def test_only_known_chatter_is_held_back(capfd):
    with mediapipe_runtime._without_chatter():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"W0000 00:00:1.5 7 inference_feedback_manager.cc:114] Feedback manager ...\n")
        os.write(2, b"E0000 a real complaint\n")
    assert capfd.readouterr().err == "E0000 a real complaint\n"


def test_what_is_written_before_an_error_is_not_lost(capfd):
    with pytest.raises(ValueError), mediapipe_runtime._without_chatter():
        os.write(2, b"a last word\n")
        raise ValueError
    assert capfd.readouterr().err == "a last word\n"


@pytest.fixture
def forgotten():
    mediapipe_runtime.mediapipe.cache_clear()
    yield
    mediapipe_runtime.mediapipe.cache_clear()


def test_numpy_2_is_named_with_the_cure(forgotten, monkeypatch):
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(MissingDependency, match=r"NumPy 2\.1\.0.*numpy<2"):
        mediapipe_runtime.mediapipe()


def test_an_absent_mediapipe_is_named_with_the_cure(forgotten, monkeypatch):
    monkeypatch.setattr(mediapipe_runtime.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="not installed"):
        mediapipe_runtime.mediapipe()
