"""The constant side of the default head: parts, regions, texture, landmarks."""

from __future__ import annotations

import numpy as np
import torch

from zero1toa.camera import Camera
from zero1toa.heads import facemesh
from zero1toa.heads.appearance import default_colors
from zero1toa.heads.mesh_render import rasterize_mesh, vertex_normals


def boundary(faces: np.ndarray) -> np.ndarray:
    """Edges (E, 2) that only one triangle has."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() <= 2, "an edge with three triangles"
    return unique[count == 1]


def test_skin_and_mouth_are_closed_but_for_the_cut_below_the_shoulders(head):
    topology = head.topology
    edges = boundary(topology.faces[topology.part_faces("skin", "mouth")])
    heights = head.template.numpy()[edges, 1]
    assert len(edges) > 20
    assert heights.max() < -0.1
    ends, count = np.unique(edges, return_counts=True)
    assert (count == 2).all()
    assert len(ends) == len(edges)


def test_eyeballs_are_closed_spheres_about_their_joints(head):
    topology = head.topology
    for k, side in enumerate(("Left", "Right")):
        assert len(boundary(topology.faces[topology.part_faces(f"eye{side}")])) == 0
        place = head.template[torch.from_numpy(topology.part_vertices(f"eye{side}"))] - head.joint_template[4 + k]
        radius = place.norm(dim=1)
        assert radius.max() - radius.min() < 1e-6


def test_triangles_face_outwards(head):
    topology, points = head.topology, head.template.numpy().astype(float)
    normals = vertex_normals(points, topology.faces)
    face = topology.regions["face"] > 0.9
    assert (normals[face][:, 2] > 0).mean() > 0.9
    for side in ("Left", "Right"):
        rows = topology.part_vertices(f"eye{side}")
        assert ((points[rows] - points[rows].mean(0)) * normals[rows]).sum(1).min() > 0
    teeth = topology.part_vertices("teethUpper")
    front = teeth & (points[:, 2] > points[teeth, 2].max() - 0.0004)
    assert front.sum() > 3
    assert normals[front, 2].mean() > 0.5


def test_texture_islands_lie_in_the_square_and_do_not_overlap(head):
    topology = head.topology
    assert topology.uvs.min() >= 0
    assert topology.uvs.max() <= 1
    corners = topology.uvs[topology.uv_faces].astype(float)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0).all(), "a triangle lies on its back"
    island = islands(topology.uv_faces, len(topology.uvs))
    flat = np.c_[topology.uvs, np.zeros(len(topology.uvs))]
    camera = Camera.orbit(distance=10.0, target=(0.5, 0.5, 0.0), fov=2 * np.degrees(np.arctan(0.05)), size=1024)
    covered = np.zeros((1024, 1024), int)
    for k in np.unique(island):
        covered += rasterize_mesh(flat, topology.uv_faces[island == k], camera).face >= 0
    assert covered.max() == 1
    assert 0.5 < covered.mean() < 1


def islands(faces: np.ndarray, count: int) -> np.ndarray:
    """(T,) the connected component of each triangle."""
    label = np.arange(count)
    while True:
        lowest = label[faces].min(1)
        before = label.copy()
        np.minimum.at(label, faces.ravel(), np.repeat(lowest, 3))
        if (label == before).all():
            return label[faces[:, 0]]


def test_every_vertex_has_the_part_of_one_of_its_triangles(head):
    topology = head.topology
    pairs = set(zip(topology.faces.ravel().tolist(), np.repeat(topology.face_part, 3).tolist()))
    assert all((v, int(p)) in pairs for v, p in enumerate(topology.vertex_part))


def test_regions_are_where_their_names_say(head):
    points, regions = head.template.numpy(), head.topology.regions
    expected = {
        "lips", "lidsLeft", "lidsRight", "browLeft", "browRight", "scalp", "ears", "innerMouth", "neck", "nose", "face",
        "shoulders", "iris", "pupil",
    }  # fmt: skip
    assert expected <= set(regions)

    def centre(name: str) -> np.ndarray:
        return np.average(points, 0, regions[name])

    assert centre("shoulders")[1] < centre("neck")[1] < centre("lips")[1] < centre("nose")[1] < centre("lidsLeft")[1]
    assert centre("lidsLeft")[1] < centre("browLeft")[1] < centre("scalp")[1]
    for left, right in (("lidsLeft", "lidsRight"), ("browLeft", "browRight")):
        assert centre(left)[0] > 0.02
        np.testing.assert_allclose(centre(left), centre(right) * [-1, 1, 1], atol=1e-4)
    ears = np.abs(points[regions["ears"] > 0.9, 0])
    assert ears.min() > 0.05


def test_landmarks_lie_on_the_features_they_name(head):
    points = head.landmarks(head.template[None])[0].numpy()
    regions, nearest = head.topology.regions, []
    for group, region in ((facemesh.LIPS_OUTER, "lips"), (facemesh.EYES, "lidEdges")):
        inside = head.template.numpy()[regions[region] > 0.3]
        distance = np.linalg.norm(points[list(group)][:, None] - inside[None], axis=-1).min(1)
        nearest.append(distance.max())
    assert max(nearest) < 0.004
    for group, joint in ((facemesh.IRIS_LEFT, 4), (facemesh.IRIS_RIGHT, 5)):
        gap = points[group[0]] - head.joint_template[joint].numpy()
        assert abs(gap[0]) < 0.002
        assert abs(gap[1]) < 0.003
    np.testing.assert_allclose(head.topology.landmark_barycentrics.sum(1), 1, atol=1e-5)
    assert head.topology.landmark_barycentrics.min() >= 0


def test_default_colors_tell_the_parts_apart(head):
    colors = default_colors(head.topology)
    assert colors.shape == (head.topology.num_vertices, 3)
    assert colors.min() >= 0
    assert colors.max() <= 1
    teeth, tongue = (colors[head.topology.part_vertices(p)].mean(0) for p in ("teethUpper", "tongue"))
    assert teeth.min() > 0.75
    assert tongue[0] > 1.5 * tongue[1]
    assert colors[head.topology.regions["pupil"] > 0.5].max() < 0.2
