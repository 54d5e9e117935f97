"""The fitted head in the photo: which points of its surface the photo shows, and in what colour.

Colours found in the photo carry a confidence; what it does not show is taken from the mirrored side and, failing that,
spread from the neighbours over the mesh.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, median_filter, minimum_filter
from scipy.spatial import cKDTree

from ..heads import HeadTopology, RiggedHead
from ..heads.appearance import default_colors
from ..heads.mesh_render import MeshBuffers, rasterize_mesh, vertex_normals
from .doubt import background_like
from .eyes import EyeLook, across_axis, eye_looks
from .frame import metres_per_pixel
from .grain import Grain
from .lids import upper_lids
from .portrait import Portrait
from .spread import mesh_laplacian, smooth_step, spread_over_mesh

_FACING_NONE, _FACING_FULL = 0.12, 0.5  # cosine to the view below which a surface is unseen, above which well seen
_DEPTH_TOLERANCE = 0.004  # metres behind the nearest surface that still counts as seen
_MATTE_EDGE = 2.0  # px; colours this close to the matte's edge are mixed with the background and trusted less
_PART_EDGE = 2.0  # px; colours this close to where a lip meets a tooth may be the other one's
_CLEAR = 0.8  # confidence from which skin gives the light on the face
_MOUTH_LIGHT = (0.35, 1.1)  # factors on the default colours of teeth, gums and tongue
_MOUTH_SHARE = 0.5  # exponent of that factor: dark skin is half due to little light, half dark by itself
_AMBIENT = 0.6  # share of the light in the mouth that does not come from the front
_MOUTH_DEPTH = 0.08  # metres behind the lips at which a third of the light is left
_GREY = 0.02  # mean range of the three channels on skin below which a picture is black and white
_MIRROR_TRUST = 0.5  # weight of a mirrored colour beside one seen directly
_FILL_LEAST = 0.3  # confidence below which a vertex takes its colour from its neighbours
_LID_DEPTH_TOLERANCE = 0.0008  # metres; lids lie close to the eyeball and in folds
_EYE_RING = 0.014  # metres around the lids
_SHADOW = (0.95, 0.75)  # brightness over the median there: clear skin, and lash or shadow, which a blink must not move
_LID_LIGHT = 2.5  # eye rings around a lid whose skin tells the light on it
_LID_SHADE, _LID_PERCENTILE = 0.92, 60  # of that skin
_LID_LIFT, _LID_DARK = 0.9, 0.3  # how far a lid takes that colour, if it is so much darker
_DARKEST = 1e-3  # brightness of skin under a black bar or in a black picture
_STEP, _STEP_REACH = 0.012, 7  # metres of depth, and px of the window in which it makes an edge of what hides
_SPECK, _SPECK_CONTRAST = 3, 0.05  # px of the median; distance in sRGB from it at which a pixel of skin is a speck
_GRAZING_BLUR = 2.0  # px
_PORES, _FOLDS = 4.0, 9.0  # px at 512; what is coarser is tone, not texture
_PORE_GAIN = 0.5  # cheeks are rougher than neck and temples
_BEHIND_SHADE = 0.85  # brightness of unseen neck over the face's
_TOWARD_DEFAULT, _TOWARD_SKIN = 1e-6, 0.01  # weights of those defaults, against 1 for each edge
_LEVEL = 12.0  # how much more flows along a level edge of neck and shoulders than along a steep one
_MOST_RATIO, _DARKEST_RATIO = 0.7, 0.03  # of the two sides' light, as a logarithm; brightness below which it is noise
_LIGHT_KEEP, _LIGHT_EVEN = 0.3, 0.003  # weights of a known ratio and of an even light, against 1 for each edge
_OWN_COLOR_PARTS = (
    "teethUpper",
    "teethLower",
    "gumsUpper",
    "gumsLower",
    "tongue",
    "mouth",
    "lashesLeft",
    "lashesRight",
)
_OUTER_PARTS = ("skin", "eyeLeft", "eyeRight")


class SurfacePoints(NamedTuple):
    """Points on a mesh's triangles."""

    triangle: NDArray[np.int64]  # (N,)
    barycentric: NDArray[np.float32]  # (N, 3)

    def interpolate(self, attributes: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
        """Vertex attributes (V, C) at the points (N, C)."""
        return np.einsum("nk,nkc->nc", self.barycentric, np.asarray(attributes, np.float64)[faces[self.triangle]])


class PhotoSurface:
    """Looks up colours of surface points in one portrait."""

    def __init__(self, portrait: Portrait, head: RiggedHead) -> None:
        self.portrait = portrait
        self.topology: HeadTopology = head.topology
        expression = torch.as_tensor(portrait.expression, dtype=torch.float32)
        pose = torch.as_tensor(portrait.pose, dtype=torch.float32)
        self.vertices: NDArray[np.float64] = head.pose(expression, pose).numpy().astype(np.float64)
        self.rest: NDArray[np.float64] = head.vertices.numpy().astype(np.float64)
        self.normals = vertex_normals(self.vertices, self.topology.faces)
        self.buffers: MeshBuffers = rasterize_mesh(self.vertices, self.topology.faces, portrait.camera)
        self.lids = upper_lids(head)  # (V,)
        inner = gaussian_filter((portrait.alpha > 0.9).astype(np.float32), _MATTE_EDGE)
        self._trust = np.clip(2 * inner - 1, 0, 1)
        self.doubt = background_like(portrait)
        self._trust *= self._away_from_steps() * ~self.doubt[0]
        self._skin_trust = self._trust * self._away_from_part_edges()

    def seen(
        self,
        points: NDArray[np.floating],
        normals: NDArray[np.floating],
        skin: NDArray[np.bool_],
        tolerance: float | NDArray = _DEPTH_TOLERANCE,
    ) -> tuple[NDArray, NDArray]:
        """Colours (N, 3) in the photo and confidence (N,) in [0, 1] of world points with outward normals.

        `skin` (N,) says which points lie on skin: those are trusted less close to eyes and teeth.
        """
        camera = self.portrait.camera
        x, y, z = camera.project(np.asarray(points, np.float64)).T
        toward = camera.position - points
        facing = (normals * toward).sum(-1) / np.linalg.norm(toward, axis=-1)
        row = np.clip(y, 0, camera.height - 1).astype(int)
        column = np.clip(x, 0, camera.width - 1).astype(int)
        inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        unhidden = z < self.buffers.depth[row, column] + tolerance
        confidence = smooth_step(facing, _FACING_NONE, _FACING_FULL) * (inside & unhidden)
        confidence *= np.where(skin, self._skin_trust[row, column], self._trust[row, column])
        where = np.stack([y - 0.5, x - 0.5])
        sharp, soft = (
            np.stack([map_coordinates(picture[..., c], where, order=1, mode="nearest") for c in range(3)], -1)
            for picture in self._pictures
        )
        return soft + smooth_step(confidence, 0, 1)[:, None] * (sharp - soft), confidence

    @cached_property
    def _pictures(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The person's colours without specks on the skin (dust, canvas, JPEG), and the same blurred, for surfaces so
        grazing that every pixel is a smear."""
        picture = self.portrait.foreground
        drawn = self.buffers.face
        smooth = self.topology.regions["face"] * (1 - self.topology.regions["lips"]) * (1 - self.lids)
        skin = np.where(drawn >= 0, smooth[self.topology.faces].mean(1)[drawn], 0) * self._away_from_part_edges() > 0.9
        middle = np.stack([median_filter(picture[..., c], _SPECK) for c in range(3)], -1)
        speck = skin & (np.abs(picture - middle).max(-1) > _SPECK_CONTRAST)
        clean = np.where(speck[..., None], middle, picture)
        return clean, np.stack([gaussian_filter(clean[..., c], _GRAZING_BLUR) for c in range(3)], -1)

    def _away_from_part_edges(self) -> NDArray[np.float64]:
        """(H, W) 0 where the mesh changes from skin to tooth or mouth, 1 from `_PART_EDGE` px on.

        The fit is good to a pixel or two; nearer to such an edge a lip would be given the colour of a tooth. At a lower
        lid it may: it stays where it is when the eye closes.
        """
        part = np.where(self.buffers.face >= 0, self.topology.face_part[self.buffers.face], -1)
        edge = np.zeros(part.shape, bool)
        outside = [self.topology.part_index(n) for n in _OUTER_PARTS]
        skin = np.isin(part, outside) | (part < 0)
        edge[1:] |= skin[1:] != skin[:-1]
        edge[:, 1:] |= skin[:, 1:] != skin[:, :-1]
        return np.clip(distance_transform_edt(~edge) / _PART_EDGE - 0.5, 0, 1)

    def _away_from_steps(self) -> NDArray[np.float64]:
        """(H, W) 0 just behind something nearer: the fit is good to some pixels, and there it would show the nearer."""
        nearest = minimum_filter(self.buffers.depth, _STEP_REACH)
        with np.errstate(invalid="ignore"):  # infinity less infinity where nothing is
            return np.where(self.buffers.depth - nearest > _STEP, 0.0, 1.0)

    def colors(self, points: SurfacePoints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Colours (N, 3) of surface points, from the photo where it shows them, and the photo's confidence (N,)."""
        topology = self.topology
        faces, mirror = topology.faces, topology.mirror
        skin = topology.part_faces("skin")[points.triangle]
        lid = points.interpolate(self.lids[:, None], faces)[:, 0]
        tolerance = _DEPTH_TOLERANCE + lid * (_LID_DEPTH_TOLERANCE - _DEPTH_TOLERANCE)
        place = points.interpolate(self.vertices, faces)
        normal = points.interpolate(self.normals, faces)
        seen, confidence = self.seen(place, normal, skin, tolerance)
        mirrored_place = points.interpolate(self.vertices[mirror], faces)
        mirrored, second = self.seen(mirrored_place, points.interpolate(self.normals[mirror], faces), skin, tolerance)
        own = self._own_colors[points.triangle]
        confidence = confidence * (1 - lid)
        filled = points.interpolate(self.vertex_colors, faces)
        eyeball = np.zeros(len(seen), bool)
        for part, look in self.eyes.items():
            some = topology.part_faces(part)[points.triangle]
            eyeball |= some
            across = points.interpolate(across_axis(topology, self.rest, part)[:, None], faces)[some, 0]
            filled[some] = look.colors(across)
            confidence[some] *= look.trust(across, seen[some])
        first = confidence * ~own * (1 - np.maximum(second - confidence, 0) * skin)  # the better view of the two
        second = second * ~own * ~eyeball * (1 - lid) * (1 - first)
        mirrored = mirrored * points.interpolate(self.mirror_gain, faces)
        clothed = points.interpolate(topology.regions["shoulders"][:, None], faces)[:, 0]
        places = self.around(points)
        for grain, share in ((self._skin_grain, _PORE_GAIN * (1 - clothed) * (1 - lid)), (self._cloth_grain, clothed)):
            some = skin & (share > 0)
            filled[some] += share[some, None] * grain(places[some])
        rest = 1 - first - second
        mix = first[:, None] * seen + second[:, None] * mirrored + rest[:, None] * filled
        return mix.clip(0, 1).astype(np.float32), confidence.clip(0, 1).astype(np.float32)

    @cached_property
    def mirror_gain(self) -> NDArray[np.float64]:
        """(V, 3) factors on a mirrored colour that give it the light of the side it comes to.

        Where both sides are seen their ratio is known; it spreads smoothly from there, so that no seam shows.
        """
        seen, confidence = self.vertices_seen
        other = self.topology.mirror
        logarithm = np.log(np.maximum(seen, _DARKEST_RATIO))
        ratio = (logarithm - logarithm[other]).clip(-_MOST_RATIO, _MOST_RATIO)
        both = np.minimum(confidence, confidence[other])
        both *= (both > _FILL_LEAST) * self.topology.part_vertices("skin") * (1 - self.lids) * (1 - self.lids[other])
        spread = spread_over_mesh(
            ratio, both, self.laplacian, np.zeros_like(ratio), keep=_LIGHT_KEEP, toward_default=_LIGHT_EVEN
        )
        return np.exp(spread)

    def around(self, points: SurfacePoints) -> NDArray[np.float64]:
        """(N, 2) metres: around the head's upright axis, and up."""
        arm = points.interpolate(self.rest, self.topology.faces) - self.scalp_center
        return np.stack([self.scalp_radius * np.arctan2(arm[:, 0], arm[:, 2]), arm[:, 1]], -1)

    @cached_property
    def _skin_grain(self) -> Grain:
        """The pores and the uneven tone of cheeks and forehead."""
        cheeks = self.topology.regions["face"] - np.maximum(self.near_lids, self.lids)
        for name in ("lips", "nose", "browLeft", "browRight"):
            cheeks = cheeks - self.topology.regions[name]
        return self._grain(cheeks > 0.5, _PORES)

    @cached_property
    def _cloth_grain(self) -> Grain:
        """Weave and folds of the clothes on the shoulders."""
        return self._grain(self.topology.regions["shoulders"] > 0.5, _FOLDS)

    def _grain(self, vertices: NDArray[np.bool_], coarsest: float) -> Grain:
        drawn = self.buffers.face
        region = (drawn >= 0) & vertices[self.topology.faces].all(1)[drawn] & (self._skin_trust > 0.9)
        return Grain(
            self._pictures[0], region, metres_per_pixel=metres_per_pixel(self.portrait.camera, self.vertices),
            coarsest=coarsest * len(drawn) / 512, period=2 * np.pi * self.scalp_radius,
        )  # fmt: skip

    @cached_property
    def laplacian(self) -> sparse.csr_matrix:
        """(V, V) of the skin."""
        return mesh_laplacian(self.topology.faces[self.topology.part_faces("skin")], self.topology.num_vertices)

    @cached_property
    def _skin_laplacian(self) -> sparse.csr_matrix:
        """The same, with more flow along level edges below the chin: a collar goes around the neck."""
        topology = self.topology
        below = (topology.regions["face"] < 0.5) & (topology.regions["scalp"] < 0.5) & (topology.regions["ears"] < 0.5)

        def weight(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.float64]:
            edge = self.rest[a] - self.rest[b]
            level = 1 - np.abs(edge[:, 1]) / np.maximum(np.linalg.norm(edge, axis=-1), 1e-9)
            return 1 + _LEVEL * level**2 * (below[a] & below[b])

        return mesh_laplacian(topology.faces[topology.part_faces("skin")], topology.num_vertices, weight)

    @cached_property
    def scalp_center(self) -> NDArray[np.float64]:
        """(3,) middle of the scalp at rest, metres: the axis around which hair is laid."""
        return self.rest[self.topology.regions["scalp"] > 0.5].mean(0)

    @cached_property
    def scalp_radius(self) -> float:
        """Metres from that middle to the scalp, in the mean."""
        return float(
            np.linalg.norm(self.rest[self.topology.regions["scalp"] > 0.5] - self.scalp_center, axis=-1).mean()
        )

    @cached_property
    def facing(self) -> NDArray[np.float64]:
        """(T,) cosine between each triangle's normal and the direction to the camera; negative on its back."""
        corners = self.vertices[self.topology.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        toward = self.portrait.camera.position - corners.mean(1)
        lengths = np.linalg.norm(normal, axis=-1) * np.linalg.norm(toward, axis=-1)
        return (normal * toward).sum(-1) / np.maximum(lengths, 1e-12)

    @cached_property
    def vertices_seen(self) -> tuple[NDArray, NDArray]:
        """`seen` of all vertices: colours (V, 3) and confidence (V,)."""
        return self.seen(self.vertices, self.normals, self.topology.part_vertices("skin"))

    @cached_property
    def vertex_colors(self) -> NDArray[np.float32]:
        """(V, 3) a smooth colour everywhere: seen, mirrored, or spread over the mesh; own colours inside the mouth."""
        topology = self.topology
        skin = topology.part_vertices("skin")
        seen, confidence = self.vertices_seen
        mirrored = seen[topology.mirror] * self.mirror_gain
        second = confidence[topology.mirror] * _MIRROR_TRUST
        weight = np.maximum(confidence, second) * (1 - self.lids)
        weight[weight < _FILL_LEAST] = 0
        known = np.where((second > confidence)[:, None], mirrored, seen)
        weight *= 1 - self.near_lids * smooth_step(known.mean(1) / self._brightness_around_eyes, *_SHADOW)
        weight *= 1 - topology.regions["scalp"]  # hair has its own way behind the outline
        own = default_colors(topology) * self._mouth_shade[:, None]
        spread = spread_over_mesh(known, weight * skin, self._skin_laplacian, *self._unseen_skin(own))
        clear = skin & (confidence > _CLEAR)
        if clear.any():  # the inside of the mouth is lit like the face, and grey in a grey picture
            light = np.median(seen[clear], axis=0).mean() / default_colors(topology)[skin].mean()
            own *= np.clip(light, *_MOUTH_LIGHT) ** _MOUTH_SHARE
            if np.ptp(seen[clear], axis=1).mean() < _GREY:
                own = own.mean(1, keepdims=True).repeat(3, 1)
        for part, look in self.eyes.items():
            ball = topology.part_vertices(part)
            own[ball] = look.colors(across_axis(topology, self.rest, part)[ball])
        spread = self._lit_lids(spread)
        return np.where(skin[:, None], spread, own).clip(0, 1).astype(np.float32)

    def _lit_lids(self, colors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Colours (V, 3) whose dark lids tend to the skin farther around that eye: what lies close to an open eye is in
        the shadow of brow and lashes."""
        lids = self.vertices[self.lids > 0.5]
        out = colors.copy()
        if not len(lids):
            return out
        distance = cKDTree(lids).query(self.vertices)[0]
        around = (distance > _EYE_RING) & (distance < _LID_LIGHT * _EYE_RING) & (self.topology.regions["face"] > 0.5)
        for side in (self.rest[:, 0] > 0, self.rest[:, 0] <= 0):
            if (around & side).any():
                aim = _LID_SHADE * np.percentile(colors[around & side], _LID_PERCENTILE, axis=0)
                darker = np.clip((1 - colors.mean(1) / max(aim.mean(), _DARKEST)) / _LID_DARK, 0, 1)
                share = _LID_LIFT * self.lids * darker * side
                out += share[:, None] * (aim - colors)
        return out

    def _unseen_skin(self, default: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(V, 3) and (V,): what skin far from all that is seen tends to, and how strongly; not so clothed shoulders."""
        topology = self.topology
        seen, confidence = self.vertices_seen
        clear = topology.part_vertices("skin") & (topology.regions["face"] > 0.5) & (confidence > _CLEAR)
        if not clear.any():
            return default, np.full(len(default), _TOWARD_DEFAULT)
        bare = 1 - topology.regions["shoulders"]
        tone = _BEHIND_SHADE * np.median(seen[clear], axis=0)
        return np.broadcast_to(tone, default.shape), _TOWARD_DEFAULT + _TOWARD_SKIN * bare

    @cached_property
    def near_lids(self) -> NDArray[np.float64]:
        """(V,) 1 on skin beside the lids, 0 from `_EYE_RING` on."""
        lids = self.vertices[self.lids > 0.5]
        distance = cKDTree(lids).query(self.vertices)[0] if len(lids) else np.full(len(self.vertices), np.inf)
        return smooth_step(distance, _EYE_RING, 0.5 * _EYE_RING) * self.topology.part_vertices("skin")

    @cached_property
    def eyes(self) -> dict[str, EyeLook]:
        """What the eyeballs look like, by part."""
        seen, confidence = self.vertices_seen
        clear = (self.near_lids > 0.1) & (confidence > 0.5)
        skin = np.median(seen[clear], axis=0) if clear.any() else None
        return eye_looks(self.portrait, self.topology, self.rest, self.buffers, skin)

    @cached_property
    def _brightness_around_eyes(self) -> float:
        """Median brightness of the skin around the lids; what is much darker is lash, liner or the crease's shadow."""
        seen, confidence = self.vertices_seen
        clear = (self.near_lids > 0.1) & (confidence > 0.5)
        return max(float(np.median(seen[clear].mean(1))), _DARKEST) if clear.any() else _DARKEST

    @cached_property
    def _mouth_shade(self) -> NDArray[np.float64]:
        """(V,) light inside the mouth: from the front, and less of it deeper in; 1 outside."""
        topology = self.topology
        inside = topology.part_vertices(*(n for n in _OWN_COLOR_PARTS if n in topology.part_names and "lash" not in n))
        toward = self.portrait.camera.position - self.vertices
        facing = (self.normals * toward).sum(-1) / np.linalg.norm(toward, axis=-1)
        lips = self.vertices[topology.regions["lips"] > 0.5, 2].max()
        deep = np.clip(lips - self.vertices[:, 2], 0, None)
        light = (_AMBIENT + (1 - _AMBIENT) * np.clip(facing, 0, 1)) * np.exp(-deep / _MOUTH_DEPTH)
        return np.where(inside, light, 1.0)

    @cached_property
    def _own_colors(self) -> NDArray[np.bool_]:
        """(T,) triangles whose colours come from the head model: the photo shows them rarely and badly."""
        names = [n for n in _OWN_COLOR_PARTS if n in self.topology.part_names]
        inner = self.topology.regions.get("innerMouth")
        own = self.topology.part_faces(*names)
        return own if inner is None else own | (inner[self.topology.faces].mean(1) > 0.5)
