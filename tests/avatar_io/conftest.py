"""A small made-up avatar that has everything a real one has (a seam, parts, regions, eyes), and a glTF player."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
import pytest
from scipy.spatial.transform import Rotation

from zero1toa.avatar_io import AvatarData
from zero1toa.camera import Camera
from zero1toa.heads import arkit
from zero1toa.heads.topology import HeadTopology

RINGS, STEPS = 7, 8  # of each ball
BALLS = {"skin": (0.0, 0.0, 0.0, 0.1), "eyeLeft": (0.03, 0.03, 0.09, 0.012), "eyeRight": (-0.03, 0.03, 0.09, 0.012)}


def ball(x: float, y: float, z: float, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces, uvs and uv_faces of a latitude-longitude ball with its seam at the back."""
    polar, turn = np.meshgrid(np.linspace(0.3, np.pi - 0.3, RINGS), np.arange(STEPS) / STEPS * 2 * np.pi, indexing="ij")
    normal = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], -1)
    u, v = np.meshgrid(np.arange(STEPS + 1) / STEPS, np.linspace(1, 0, RINGS))
    faces, uv_faces = [], []
    for i in range(RINGS - 1):
        for j in range(STEPS):
            a, b, c, d = (i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)
            for corners in ((a, c, b), (b, c, d)):
                faces.append([r * STEPS + s % STEPS for r, s in corners])
                uv_faces.append([r * (STEPS + 1) + s for r, s in corners])
    vertices = np.array([x, y, z]) + radius * normal.reshape(-1, 3)
    return vertices, np.array(faces), np.stack([u, v], -1).reshape(-1, 2), np.array(uv_faces)


def make_avatar(num_splats: int = 300, seed: int = 0) -> AvatarData:
    rng = np.random.default_rng(seed)
    vertices, faces, uvs, uv_faces, vertex_part, face_part = [], [], [], [], [], []
    for part, place in enumerate(BALLS.values()):
        v, f, t, ft = ball(*place)
        faces.append(f + sum(map(len, vertices)))
        uv_faces.append(ft + sum(map(len, uvs)))
        vertices.append(v)
        uvs.append(t)
        vertex_part.append(np.full(len(v), part))
        face_part.append(np.full(len(f), part))
    points, part = np.concatenate(vertices), np.concatenate(vertex_part)
    count, num_faces = len(points), sum(map(len, faces))
    weights = np.zeros((count, 6))
    weights[part == 1, 4] = weights[part == 2, 5] = 1
    skin = part == 0
    weights[skin] = np.c_[rng.dirichlet(np.ones(5), skin.sum()), np.zeros(skin.sum())]  # five joints: two sets of four
    weights[skin & (points[:, 1] > 0)] = [0, 0.25, 0.75, 0, 0, 0]
    deltas = np.where(rng.random((52, count, 1)) < 0.2, rng.normal(0, 0.004, (52, count, 3)), 0)
    deltas[:, part > 0] = 0
    deltas[arkit.INDEX["eyeLookInLeft"], part == 1] = [0, 0, 0.001]
    deltas[arkit.INDEX["tongueOut"]] = 0
    topology = HeadTopology(
        faces=np.concatenate(faces).astype(np.int32),
        uvs=np.concatenate(uvs).astype(np.float32),
        uv_faces=np.concatenate(uv_faces).astype(np.int32),
        part_names=tuple(BALLS),
        vertex_part=part.astype(np.int8),
        face_part=np.concatenate(face_part).astype(np.int8),
        regions={
            "lips": np.where(points[:, 1] < -0.08, rng.random(count), 0).astype(np.float32),
            "face": rng.random(count).astype(np.float32),
            "none": np.zeros(count, np.float32),
        },
        mirror=np.arange(count)[::-1].astype(np.int32),
        landmark_faces=rng.integers(0, num_faces, 478).astype(np.int32),
        landmark_barycentrics=rng.dirichlet(np.ones(3), 478).astype(np.float32),
        landmark_spread=rng.random(478).astype(np.float32),
    )
    quats = rng.normal(size=(num_splats, 4))
    return AvatarData(
        vertices=points.astype(np.float32),
        expression_deltas=deltas.astype(np.float32),
        joints=np.array(
            [[0, -0.2, 0], [0, -0.1, 0], [0, 0, 0], [0, -0.02, 0.03], [0.03, 0.03, 0.09], [-0.03, 0.03, 0.09]],
            np.float32,
        ),
        skin_weights=weights.astype(np.float32),
        topology=topology,
        means=rng.normal(0, 0.5, (num_splats, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=rng.normal(-1.5, 0.7, (num_splats, 3)).astype(np.float32),
        opacity_logits=rng.normal(1, 3, num_splats).astype(np.float32),
        colors=rng.random((num_splats, 3)).astype(np.float32),
        triangle=rng.integers(0, num_faces, num_splats),
        identity=rng.normal(size=20).astype(np.float32),
        photo_expression=rng.random(52).astype(np.float32),
        photo_pose=rng.normal(0, 0.2, (6, 3)).astype(np.float32),
        photo_camera=Camera.orbit(12.0, 5.0, size=(512, 384)),
        provenance={"source": "painting", "prior": "reprojection", "preset": "fast", "seed": 3, "strength": 0.5},
    )


_TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Player:
    """A glTF player written from the specification alone: it knows nothing of zero1toa."""

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def accessor(self, index: int) -> np.ndarray:
        accessor = self.gltf.accessors[index]
        dtype, width = np.dtype(_TYPES[accessor.componentType]), _WIDTHS[accessor.type]
        values = np.zeros((accessor.count, width), dtype)
        if accessor.bufferView is not None:
            values = self._view(accessor.bufferView, dtype, accessor.count, width)
        if accessor.sparse is not None:
            sparse = accessor.sparse
            rows = self._view(
                sparse.indices.bufferView, np.dtype(_TYPES[sparse.indices.componentType]), sparse.count, 1
            )
            values[rows[:, 0]] = self._view(sparse.values.bufferView, dtype, sparse.count, width)
        return values / np.iinfo(dtype).max if accessor.normalized else values

    def attribute(self, mesh: int, name: str) -> np.ndarray:
        return self.accessor(getattr(self.gltf.meshes[mesh].primitives[0].attributes, name))

    def pose(self, weights: dict[str, float], turns: dict[str, list[float]]) -> np.ndarray:
        """World positions of the skinned mesh with morph weights by name and joint rotation vectors by node name."""
        mesh = self.gltf.meshes[0]
        points = self.attribute(0, "POSITION").astype(np.float64)
        for name, weight in weights.items():
            target = mesh.primitives[0].targets[mesh.extras["targetNames"].index(name)]
            points = points + weight * self.accessor(target["POSITION"])
        skin = self.gltf.skins[0]
        inverse = self.accessor(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
        matrices = np.stack([self._world(joint, turns) for joint in skin.joints]) @ inverse
        blend = np.zeros((len(points), 4, 4))
        for n in range(2):
            if getattr(mesh.primitives[0].attributes, f"JOINTS_{n}", None) is not None:
                share = self.attribute(0, f"WEIGHTS_{n}").astype(np.float64)
                blend += (share[..., None, None] * matrices[self.attribute(0, f"JOINTS_{n}")]).sum(1)
        return (blend @ np.c_[points, np.ones(len(points))][..., None])[:, :3, 0]

    def _world(self, node: int, turns: dict[str, list[float]]) -> np.ndarray:
        own = np.eye(4)
        own[:3, 3] = self.gltf.nodes[node].translation
        own[:3, :3] = Rotation.from_rotvec(turns.get(self.gltf.nodes[node].name, [0, 0, 0])).as_matrix()
        parents = [i for i, other in enumerate(self.gltf.nodes) if node in other.children]
        return self._world(parents[0], turns) @ own if parents else own

    def _view(self, index: int, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        view = self.gltf.bufferViews[index]
        stride = view.byteStride or dtype.itemsize * width
        raw = np.frombuffer(self.blob, np.uint8, view.byteLength, view.byteOffset)
        rows = np.stack([raw[i * stride : i * stride + dtype.itemsize * width] for i in range(count)])
        return rows.copy().view(dtype)


@pytest.fixture(scope="session")
def play() -> type[Player]:
    return Player


@pytest.fixture(scope="session")
def avatar() -> AvatarData:
    return make_avatar()
