"""The matting functions, apart from the rest of their package and without threads of Numba's."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys, torch
torch.set_num_threads(1)
from zero1toa.portrait.matting_runtime import matting
import numba, numpy as np
plain = numba.njit
functions = matting()
assert numba.njit is plain
random = np.random.default_rng(0)
image, alpha = random.random((40, 40, 3)), random.random((40, 40))
functions.cf_laplacian(image)
foreground = functions.estimate_foreground_ml(image, alpha)
assert torch.get_num_threads() == 1, torch.get_num_threads()
assert not any("pool" in name for name in sys.modules if name.startswith("numba.np.ufunc"))
assert not any(name.startswith("pymatting") for name in sys.modules)
"""
FORKS = """
import os, signal
child = os.fork()
if not child:
    signal.alarm(60)
    again = functions.estimate_foreground_ml(image, alpha)
    torch.rand(1000, 1000).clone()
    os._exit(0 if np.array_equal(again, foreground) else 1)
assert os.waitpid(child, 0)[1] == 0
"""
LIKE_THE_PACKAGES = """
from pymatting import estimate_foreground_ml
np.testing.assert_allclose(estimate_foreground_ml(image, alpha), foreground, atol=1e-6)
"""


def run(*code: str) -> None:
    subprocess.run([sys.executable, "-c", "".join(code)], check=True)


def test_matting_leaves_the_threads_of_torch_alone() -> None:
    """Numba's own threads would share OpenMP with torch, and set its number of threads to that of the cores."""
    run(CODE)


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="a system without fork")
def test_a_fork_of_a_process_that_has_cut_out_a_person_works() -> None:
    run(CODE, FORKS)


@pytest.mark.slow
def test_the_functions_do_what_the_package_does() -> None:
    run(CODE, LIKE_THE_PACKAGES)
