from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zero1toa.avatar_io.seams import join_seams, split_seams

VERTICES, COORDINATES = 7, 9
MESHES = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        arrays(np.int32, (count, 3), elements=st.integers(0, VERTICES - 1)),
        arrays(np.int32, (count, 3), elements=st.integers(0, COORDINATES - 1)),
    )
)


@given(mesh=MESHES)
def test_joining_undoes_splitting(mesh: tuple[np.ndarray, np.ndarray]) -> None:
    faces, uv_faces = join_seams(split_seams(VERTICES, *mesh))
    np.testing.assert_array_equal(faces, mesh[0])
    np.testing.assert_array_equal(uv_faces, mesh[1])


@given(mesh=MESHES)
def test_original_vertices_come_first_and_no_row_is_double(mesh: tuple[np.ndarray, np.ndarray]) -> None:
    split = split_seams(VERTICES, *mesh)
    np.testing.assert_array_equal(split.vertex[:VERTICES], np.arange(VERTICES))
    used = np.unique(split.faces)
    pairs = {(int(split.vertex[row]), int(split.uv[row])) for row in used}
    assert len(pairs) == len(used)
    assert set(range(VERTICES, len(split.vertex))) <= set(used.tolist())


def test_a_seam_doubles_its_vertices_only() -> None:
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    split = split_seams(4, faces, np.array([[0, 1, 2], [4, 2, 3]], np.int32))  # vertex 0 has coordinates 0 and 4
    assert split.vertex.tolist() == [0, 1, 2, 3, 0]
    assert split.uv.tolist() == [0, 1, 2, 3, 4]
    assert split.faces.tolist() == [[0, 1, 2], [4, 2, 3]]
