"""The texture of a made-up person, computed for every texel from its place on the mean head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ..heads import JOINTS, HeadModel, HeadTopology, facemesh
from ..heads.appearance import default_colors
from ..portrait.surface import mesh_laplacian
from ..portrait.texture import ByIdentity, fill_texture, texel_map
from .solid_noise import SolidNoise, smooth_step
from .subject_look import Color, Look

Array = NDArray[np.float64]

# Lengths in metres on the mean head, colours in sRGB. Chosen by eye on renders of twelve subjects.
_IRIS, _PUPIL, _LIMBUS = 0.0056, 0.0022, 0.0008  # radii of the default head's iris and pupil, width of the dark rim
_GLINT, _GLINT_RADIUS = (0.0018, 0.0019), 0.0007  # the light's mirror image, from the middle of the pupil
_SCLERA = (0.93, 0.91, 0.89)
_SHADOW_WIDE, _SHADOW_HIGH = 0.018, 0.009  # extent of eye shadow about the upper lid
_SOCKET = 0.017  # standard deviation of the shadow around the eyes
_CHEEKS = ((0.044, -0.022), (-0.044, -0.022), (0.0, -0.018), (0.0, -0.092))  # x, y: cheeks, tip of the nose, chin
_BLUSH = (0.016, 0.016, 0.010, 0.012)  # standard deviations of their redness
_CROWN = (0.0, 0.86, -0.51)  # axis from the head's middle around which hair grows
_HEAD_MIDDLE = (0.0, 0.03, -0.05)
_COLLAR_TILT, _COLLAR = 0.36, -0.178  # cloth lies where y + tilt * z is less, so the neckline is lower in front
_SEAM = 0.007  # width of the neckline's border
_MOUTH_DEPTH = 0.03  # behind the lips a third of the light is left
_LIGHT = (0.28, 0.55, 0.79)  # towards the lamp
_AMBIENT = 0.66
_CAVITY_ROUNDS, _CAVITY_DEPTH = 12, 0.004  # rounds of averaging; depth of a hollow that is dark
_CAVITY_SHADE = 0.45  # share of the light that such a hollow loses on the head, and a third of it below the chin
_CHIN = (-0.09, -0.13)  # height of the chin, and where the neck's large triangles make every fold look deep


@dataclass(frozen=True)
class _Texels:
    """Where each of K texels lies."""

    place: Array  # (K, 3) on the mean head, metres
    regions: dict[str, Array]  # name -> (K,) membership
    part: NDArray[np.int64]  # (K,) index into part_names
    light: Array  # (K,) factor of the baked light


def subject_texture(
    model: HeadModel,
    vertices: NDArray[np.floating],
    look: Look,
    rng: np.random.Generator,
    size: int,
    *,
    lamp: bool = True,
    noise_order: int = 3,
) -> NDArray[np.float32]:
    """(S, S, 3) sRGB colours on the head's texture coordinates, light included.

    Args:
        model: the head model; its mean head says where everything is.
        vertices: (V, 3) of the person at rest, metres: for the light.
        look: of the person.
        rng: of freckles, strands and spots.
        size: pixels on a side.
        lamp: whether the light comes from a lamp too; without one only hollows are darker, and whoever draws the head
            lights it.
        noise_order: see `SolidNoise`.
    """
    topology = model.topology
    map_ = texel_map(topology, size)
    place, shares, base, part = _surface(ByIdentity(model), size)
    names = list(topology.regions)
    light = map_.points.interpolate(_light(vertices, topology, lamp)[:, None], topology.faces)[:, 0]
    texels = _Texels(place, dict(zip(names, shares.T)), part, light)
    noise = SolidNoise(rng, noise_order)

    colors = base * np.exp(np.minimum(place[:, 2:] - 0.055, 0) / _MOUTH_DEPTH)  # mouth, teeth, gums, tongue
    skin = part == topology.part_index("skin")
    landmarks = model.landmarks(model.template[None])[0].numpy().astype(np.float64)
    on_skin = _Texels(place[skin], {n: r[skin] for n, r in texels.regions.items()}, part[skin], light[skin])
    painted = _skin(on_skin, look, noise, rng)
    painted = _beard(painted, on_skin, look, noise)
    for brow in (facemesh.BROW_LEFT, facemesh.BROW_RIGHT):
        painted = _brow(painted, on_skin, look, noise, landmarks[list(brow)])
    painted = _hair(painted, on_skin, look, noise)
    painted = _clothes(painted, on_skin, look, noise)
    colors[skin] = painted * on_skin.light[:, None]
    for side in ("eyeLeft", "eyeRight"):
        eye = part == topology.part_index(side)
        middle = model.joint_template[JOINTS.index(side)].numpy().astype(np.float64)
        colors[eye] = _eye(place[eye] - middle, look, noise)
    lashes = np.isin(part, [topology.part_index("lashesLeft"), topology.part_index("lashesRight")])
    colors[lashes] = 0.5 * np.array(look.hair) * np.array([0.9, 0.85, 0.8])
    return np.ascontiguousarray(fill_texture(map_, colors.clip(0, 1)))


@lru_cache(maxsize=2)
def _surface(key: ByIdentity[HeadModel], size: int) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Of each of K texels, whosesoever texture it is: (K, 3) place on the mean head, (K, R) membership of the regions,
    (K, 3) default colour, (K,) part."""
    model = key.thing
    topology, points = model.topology, texel_map(model.topology, size).points
    members = np.stack(list(topology.regions.values()), -1)
    place, shares, base = (
        points.interpolate(values, topology.faces)
        for values in (model.template.numpy(), members, default_colors(topology))
    )
    return place, shares, base, topology.face_part[points.triangle].astype(np.int64)


@lru_cache(maxsize=4)
def _laplacian(key: ByIdentity[HeadTopology], skin: bool) -> sparse.csr_matrix:
    topology = key.thing
    faces = topology.faces[topology.part_faces("skin")] if skin else topology.faces
    return mesh_laplacian(faces, topology.num_vertices)


def head_laplacian(topology: HeadTopology, *, skin: bool) -> sparse.csr_matrix:
    """(V, V) graph Laplacian of a head or of its skin, made once."""
    return _laplacian(ByIdentity(topology), skin)


def quick_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Array:
    """(V, 3) what `heads.mesh_render.vertex_normals` gives, by a compiled loop."""
    from .mini.kernels import normals

    out = np.empty((len(vertices), 3))
    normals(np.ascontiguousarray(vertices, np.float64), faces, out)
    return out


def _light(vertices: NDArray[np.floating], topology: HeadTopology, lamp: bool) -> Array:
    """(V,) one lamp or none, light from all sides and less of it in hollows."""
    normals = quick_normals(vertices, topology.faces)
    toward = np.array(_LIGHT) / np.linalg.norm(_LIGHT)
    wrapped = np.clip((normals @ toward + 0.3) / 1.3, 0, 1)
    laplacian = head_laplacian(topology, skin=False)
    degree = np.maximum(laplacian.diagonal(), 1)[:, None]
    smooth = np.asarray(vertices, np.float64)
    for _ in range(_CAVITY_ROUNDS):
        smooth = smooth - 0.5 * (laplacian @ smooth) / degree
    depth = ((smooth - vertices) * normals).sum(-1)
    hollow = np.clip(depth / _CAVITY_DEPTH, 0, 1) * (1 - 2 / 3 * smooth_step(smooth[:, 1], *_CHIN))
    return (_AMBIENT + (1 - _AMBIENT) * wrapped if lamp else 1.0) * (1 - _CAVITY_SHADE * hollow)


def _mix(colors: Array, color: Color | Array, share: Array) -> Array:
    return colors + share[:, None] * (np.asarray(color) - colors)


def _skin(texels: _Texels, look: Look, noise: SolidNoise, rng: np.random.Generator) -> Array:
    place, regions = texels.place, texels.regions
    x, y = place[:, 0], place[:, 1]
    front = smooth_step(place[:, 2], 0.0, 0.035)
    colors = np.tile(np.array(look.skin), (len(place), 1))
    colors *= (1 + 0.035 * noise(place, 25) + 0.02 * noise(place + 1, 90) + 0.02 * noise(place, 700))[:, None]
    red = 0.35 * regions["ears"]
    for (cx, cy), spread in zip(_CHEEKS, _BLUSH):
        red += front * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * spread**2))
    made_up = look.rouge * np.clip(red - 0.35 * regions["ears"], 0, 1)
    red = look.skin_red * np.clip(red + 0.12 * noise(place + 2, 45), 0, 1.2) + made_up
    colors *= 1 + red[:, None] * np.array([0.02, -0.15, -0.13])
    socket = sum(np.exp(-((x - cx) ** 2 + ((y - 0.012) * 1.3) ** 2) / (2 * _SOCKET**2)) for cx in (-0.03, 0.03))
    colors *= 1 - (0.16 * front * np.asarray(socket))[:, None] * np.array([0.8, 1.0, 0.9])
    edge = np.maximum(regions["lidsLeft"], regions["lidsRight"])
    if look.eye_shadow_share > 0:
        above = front * np.exp(-((np.abs(np.abs(x) - 0.031) / _SHADOW_WIDE) ** 2 + ((y - 0.021) / _SHADOW_HIGH) ** 2))
        colors = _mix(colors, look.eye_shadow, look.eye_shadow_share * above)
    colors *= 1 - 0.25 * edge[:, None] * np.array([0.8, 1.0, 1.0])
    density = front * regions["face"] * (1 - regions["lips"]) * (0.25 + np.minimum(red / max(look.skin_red, 0.1), 1))
    colors *= 1 - 0.35 * _spots(place, density, look.freckles, (0.0005, 0.0011), rng)[:, None] * [0.5, 0.8, 1.0]
    colors *= (
        1 - 0.6 * _spots(place, regions["face"] + 0.6 * regions["neck"], look.moles, (0.0009, 0.0018), rng)[:, None]
    )
    creases = 0.08 * noise(place, (900.0, 120.0, 200.0)) - 0.12 * np.exp(-(((y + 0.0567) / 0.0016) ** 2))
    lips = np.array(look.lips) * (1 + creases)[:, None]
    return _mix(colors, lips, look.lip_share * smooth_step(regions["lips"], 0.25, 0.75))


def _spots(place: Array, density: Array, count: int, radii: tuple[float, float], rng: np.random.Generator) -> Array:
    """(K,) in [0, 1]: `count` soft spots, thicker where the density (K,) is high."""
    if count == 0:
        return np.zeros(len(place))
    chosen = rng.choice(len(place), count, p=density.clip(0) / density.clip(0).sum())
    radius = rng.uniform(*radii, count)
    distance, nearest = cKDTree(place[chosen]).query(place, distance_upper_bound=3 * radii[1])
    near = np.isfinite(distance)
    spots = np.zeros(len(place))
    spots[near] = smooth_step(distance[near] / radius[nearest[near]], 1.5, 0.5)
    return spots


def _beard(colors: Array, texels: _Texels, look: Look, noise: SolidNoise) -> Array:
    place, regions = texels.place, texels.regions
    x, y = np.abs(place[:, 0]), place[:, 1]
    upper = -0.036 - 0.012 * smooth_step(x, 0.008, 0.03) + 0.035 * smooth_step(x, 0.035, 0.062)
    mask = smooth_step(y, upper + 0.004, upper - 0.006) * smooth_step(y, -0.135, -0.105)
    mask *= smooth_step(place[:, 2], -0.045, -0.01) * (1 - smooth_step(regions["lips"], 0.1, 0.4))
    hairs = smooth_step(noise(place + 3, (1100.0, 500.0, 800.0)), -0.6, 1.2)
    return _mix(colors, 0.75 * np.array(look.hair), look.stubble * mask * (0.25 + 0.6 * hairs))


def _brow(colors: Array, texels: _Texels, look: Look, noise: SolidNoise, points: Array) -> Array:
    """Hairs along the middle of MediaPipe's brow: `points` (10, 3), five of the lower edge, then five of the upper."""
    place = texels.place
    middle = (points[:5] + points[5:]) / 2
    middle = middle[np.argsort(np.abs(middle[:, 0]))]  # from the nose outwards
    steps = np.linspace(0, 1, 40)
    knots = np.linspace(0, 1, 5)
    curve = np.stack([np.interp(steps, knots, middle[:, k]) for k in range(2)], -1)
    reach = 0.02
    inside = (place[:, :2] > curve.min(0) - reach).all(1) & (place[:, :2] < curve.max(0) + reach).all(1)
    about = np.flatnonzero(inside & (place[:, 2] > 0.01))
    distance, nearest = cKDTree(curve).query(place[about, :2], distance_upper_bound=reach)
    along = steps[np.minimum(nearest, 39)]
    half = look.brow_width * (0.75 + 0.5 * along) * (1 - 0.75 * smooth_step(along, 0.55, 1.0))
    near = np.isfinite(distance)
    about, ratio = about[near], (distance / half)[near]
    place = place[about]
    slant = place[:, 0] * np.sign(points[0, 0]) - 0.8 * (place[:, 1] - 0.038)
    hairs = noise(np.stack([slant, place[:, 1], place[:, 2]], -1), (1300.0, 150.0, 150.0))
    share = smooth_step(ratio + 0.2 * hairs, 1.25, 0.6) * np.clip(0.8 + 0.3 * hairs, 0.2, 1)
    painted = colors.copy()
    painted[about] = _mix(colors[about], 0.85 * np.array(look.hair), look.brow_share * share)
    return painted


def _hair(colors: Array, texels: _Texels, look: Look, noise: SolidNoise) -> Array:
    """Strands that run down from the crown."""
    place = texels.place
    axis = np.array(_CROWN) / np.linalg.norm(_CROWN)
    side = np.cross(axis, [1.0, 0.0, 0.0])
    arm = place - np.array(_HEAD_MIDDLE)
    arm /= np.linalg.norm(arm, axis=1, keepdims=True)
    polar = np.arccos(np.clip(arm @ axis, -1, 1))
    around = np.arctan2(arm[:, 0], arm @ side) + look.hair_wave * (noise(place, 12) + 0.3 * noise(place, 40))
    ring = np.stack([np.cos(around), np.sin(around), polar], -1)
    strands = 0.6 * noise(ring, (12.0, 12.0, 1.5)) + 0.6 * noise(ring + 1, (38.0, 38.0, 3.0))
    strands += 0.5 * noise(ring + 2, (90.0, 90.0, 6.0))
    shine = np.exp(-(((polar - 0.75 + 0.05 * strands) / 0.22) ** 2))
    hair = np.array(look.hair) * (0.95 + 0.22 * strands + 0.35 * shine)[:, None].clip(0.35, 2) + 0.02 * shine[:, None]
    share = smooth_step(texels.regions["scalp"] + 0.07 * strands, look.hairline - 0.12, look.hairline + 0.12)
    return _mix(colors, hair, share * (1 - smooth_step(texels.regions["ears"], 0.2, 0.6)))


def _clothes(colors: Array, texels: _Texels, look: Look, noise: SolidNoise) -> Array:
    place = texels.place
    depth = _COLLAR + look.collar - (place[:, 1] + _COLLAR_TILT * place[:, 2])  # metres below the neckline
    depth = depth + 0.1 * np.maximum(0.06 - np.abs(place[:, 0]), 0) - 0.003
    first, second = np.array(look.cloth), np.array(look.cloth_second).clip(0, 1)
    x, y = place[:, 0] / 0.024, place[:, 1] / 0.024
    stripes, columns = smooth_step(np.sin(2 * np.pi * y), -0.15, 0.15), smooth_step(np.sin(2 * np.pi * x), -0.15, 0.15)
    share = {
        "plain": np.zeros(len(place)),
        "stripes": stripes,
        "checks": 0.5 * (stripes + columns),
        "dots": smooth_step(np.hypot((x % 1) - 0.5, (y % 1) - 0.5), 0.27, 0.2),
    }[look.pattern]
    cloth = _mix(np.tile(first, (len(place), 1)), second, share)
    cloth = _mix(cloth, 0.75 * first, smooth_step(depth, _SEAM + 0.001, _SEAM))
    cloth *= (1 + 0.05 * noise(place, (900.0, 900.0, 900.0)) + 0.06 * noise(place, 30))[:, None]
    colors = colors * (1 - 0.3 * smooth_step(depth, -0.008, 0.0))[:, None]  # the neckline's shadow
    return _mix(colors, cloth, smooth_step(depth, -0.0005, 0.0005))


def _eye(arm: Array, look: Look, noise: SolidNoise) -> Array:
    """White, iris, pupil and a glint; `arm` (K, 3) metres from the middle of the eyeball."""
    radius = np.where(arm[:, 2] > 0, np.hypot(arm[:, 0], arm[:, 1]), 0.1)
    angle = np.arctan2(arm[:, 1], arm[:, 0])
    white = np.array(_SCLERA) * (1 - 0.2 * smooth_step(radius, 0.006, 0.013))[:, None]
    white *= 1 - (0.05 * smooth_step(noise(arm, (250.0, 600.0, 250.0)), 0.8, 1.6))[:, None] * np.array([0, 1.0, 1.0])
    ring = np.stack([np.cos(angle), np.sin(angle), radius * 250], -1)
    rays = 1 + 0.22 * noise(ring, (7.0, 7.0, 0.6)) + 0.25 * smooth_step(radius, 0.0045, 0.0028)
    iris = np.array(look.iris) * rays[:, None] * (1 - 0.6 * smooth_step(radius, _IRIS - 2 * _LIMBUS, _IRIS))[:, None]
    colors = _mix(white, iris, smooth_step(radius, _IRIS + 0.0004, _IRIS - 0.0004))
    colors = _mix(colors, (0.02, 0.02, 0.02), smooth_step(radius, _PUPIL + 0.0003, _PUPIL - 0.0003))
    colors = colors * (1 - 0.25 * smooth_step(arm[:, 1], 0.002, 0.008))[:, None]  # the upper lid's shadow
    glint = np.hypot(arm[:, 0] - _GLINT[0], arm[:, 1] - _GLINT[1])
    return _mix(colors, (0.97, 0.97, 0.97), 0.9 * smooth_step(np.where(arm[:, 2] > 0, glint, 1), _GLINT_RADIUS, 0.0003))
