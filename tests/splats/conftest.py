from __future__ import annotations

from collections.abc import Iterator

import pytest

from zero1toa.splats.cpu import vectors


@pytest.fixture(scope="module", params=["vectors", "plain"])
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a module's tests with the vector kernels, then with the plain ones."""
    if request.param == "vectors" and vectors.vector_kernels() is None:
        pytest.skip("the vector kernels are switched off, or the installed Numba cannot build them")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setenv(vectors.SWITCH, "off")
        yield request.param
