"""The upper teeth at the height at which the photo shows them.

Landmarks hold the lips, not what lies behind them: how far the teeth come down is read from the photo's colours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates

from ..heads import RiggedHead
from ..heads.mesh_render import rasterize_mesh
from .portrait import Portrait
from .spread import smooth_step

_INNER_TOP, _INNER_BOTTOM, _CORNERS = 13, 14, (78, 308)  # MediaPipe's points of the inner lips, and
_LIPS = ((0, _INNER_TOP), (_INNER_BOTTOM, 17))  # upper and lower lip from above down
_LEAST_GAP = 0.003  # metres between the lips below which a photo shows no row of teeth
_LEAST_GAP_PX = 4.0  # px; the two blurred edges of a lower row could not be told apart
_MOST_ROW = 0.0125  # metres; a longer bright run is more than one row of teeth, or none
_MOST_YAW = 25.0  # degrees; farther from the side the row's lower edge is no longer seen across its middle
_REACH, _COLUMNS = 0.2, 9  # share of the mouth's width on both sides of the midline that is measured, and in how many
_LEAST_COLUMNS = 5  # of them that must show a tooth
_STEP, _BLUR = 0.25, 0.6  # px: of samples along a column, and standard deviation of their blur
_REDNESS = 2.0  # weight of colour against brightness in what tells teeth from lips; tuned on the demo photo
_CONTRAST = 0.2  # of that measure between teeth and lips, sRGB; a wet tongue and a dark mouth stay far below
_BRIGHTER, _PALER = 1.1, 0.75  # a tooth against the lips beside it: brightness at least, redness at most
_GREY = 0.03  # redness of lips below which a photo has no colours to tell by
_FROM_TOP = 0.35  # share of the gap within which a row of upper teeth begins
_HIGHER, _LOWER = 0.002, 0.005  # metres that the teeth's edge may rise and fall
_LONGER, _LONGEST = 0.002, 0.012  # metres that crowns may grow, and up to which; incisors of adults are 9 to 12 mm
_FINE = 2  # pixels of the mesh's picture per pixel of the photo
_MESH_REACH = 0.5  # mouth's widths above and below the upper lip's edge within which the mesh's teeth are looked for
_PROBE = 0.001  # metres of a small move that tells the size of a pixel
_INCISORS = 0.008  # metres of depth that the incisors take at most
_ARCH = (0.045, 0.015)  # metres behind the incisors at which nothing moves, and up to which all


class _Row(NamedTuple):
    """The upper teeth near the midline, in columns across the mouth, px below the inner edge of the upper lip."""

    top: NDArray[np.float64]  # (C,) where the crowns begin, under lip or gum; NaN where no tooth is seen
    edge: NDArray[np.float64]  # (C,) where they end


class _Columns(NamedTuple):
    """Lines down the mouth at which photo and mesh are compared."""

    start: NDArray[np.float64]  # (C, 2) px, level with the upper lip's inner edge
    down: NDArray[np.float64]  # (2,) unit vector
    gap: float  # px between the lips
    width: float  # px between the mouth's corners

    def places(self, along: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C, S, 2) px at distances (S,) down the columns."""
        return self.start[:, None] + along[:, None] * self.down


def place_teeth(head: RiggedHead, portrait: Portrait) -> RiggedHead:
    """The head with its upper teeth and gums as low as the photo shows them; the same head where it shows none."""
    offsets = teeth_offsets(head, portrait)
    return replace(head, vertices=head.vertices + torch.as_tensor(offsets)) if offsets.any() else head


def teeth_offsets(head: RiggedHead, portrait: Portrait) -> NDArray[np.float32]:
    """(V, 3) displacements at rest, metres, up or down, of the upper teeth and gums.

    The teeth's lower edge comes to where the photo shows it. Teeth that come down grow first, and the gums follow by
    the rest only: the lip hides where they are, and a face that speaks should show as little of them as before. Zero
    for closed lips, for an open mouth without a row of upper teeth, and for heads without teeth.
    """
    topology = head.topology
    offsets = np.zeros((topology.num_vertices, 3), np.float32)
    if not {"teethUpper", "gumsUpper"} <= set(topology.part_names) or abs(portrait.head_angles["yaw"]) > _MOST_YAW:
        return offsets
    columns = _columns(portrait)
    teeth = topology.part_vertices("teethUpper")
    metres = _metres_down(head, portrait, columns, teeth)
    if columns.gap < _LEAST_GAP_PX or columns.gap * metres < _LEAST_GAP:
        return offsets
    photo = _photo_row(portrait, columns)
    model = _mesh_row(head, portrait, columns)
    both = np.isfinite(photo.edge + model.edge)
    if both.sum() < _LEAST_COLUMNS:
        return offsets
    if metres * np.median(photo.edge[both] - photo.top[both]) > _MOST_ROW:
        return offsets
    crown = metres * np.median(model.edge[both] - model.top[both])
    fall = float(np.clip(metres * np.median(photo.edge[both] - model.edge[both]), -_HIGHER, _LOWER))
    growth = float(np.clip(min(fall, _LONGEST - crown), 0, _LONGER))
    rest = head.vertices.numpy().astype(np.float64)
    incisors = rest[teeth][rest[teeth, 2] > rest[teeth, 2].max() - _INCISORS]
    up = np.clip((rest[:, 1] - incisors[:, 1].min()) / crown, 0, 1)  # 0 at the edge, 1 from the gum on
    share = smooth_step(incisors[:, 2].max() - rest[:, 2], *_ARCH)
    moving = teeth | topology.part_vertices("gumsUpper")
    offsets[moving, 1] = (-share * (fall - growth * up))[moving]
    return offsets


def _columns(portrait: Portrait) -> _Columns:
    points = portrait.landmarks[:, :2]
    across = points[_CORNERS[1]] - points[_CORNERS[0]]
    width = float(np.linalg.norm(across))
    across = across / max(width, 1e-6)
    down = np.array([-across[1], across[0]])
    aside = np.linspace(-_REACH, _REACH, _COLUMNS) * width
    gap = float((points[_INNER_BOTTOM] - points[_INNER_TOP]) @ down)
    return _Columns(points[_INNER_TOP] + aside[:, None] * across, down, gap, width)


def _photo_row(portrait: Portrait, columns: _Columns) -> _Row:
    """What the photo shows of the upper teeth between the lips: bright and pale against the lips above and below."""
    points = portrait.landmarks[:, :2]
    thick = [float((points[b] - points[a]) @ columns.down) for a, b in _LIPS]
    along = np.arange(-max(thick[0], 1), columns.gap + max(thick[1], 1), _STEP)
    places = columns.places(along)
    where = np.stack([places[..., 1], places[..., 0]]) - 0.5
    color = np.stack([map_coordinates(portrait.image[..., c], where, order=1, mode="nearest") for c in range(3)], -1)
    color = gaussian_filter1d(color, _BLUR / _STEP, axis=1)
    bright = color.mean(-1)
    red = color[..., 0] - color[..., 1:].mean(-1)
    pale = bright - _REDNESS * red
    between = (along > 0) & (along < columns.gap)
    lips = ~between
    top, edge = np.full((2, len(places)), np.nan)
    for i in range(len(places)):
        peak = np.flatnonzero(between)[np.argmax(pale[i, between])]
        lip_bright, lip_red, lip_pale = (float(np.median(v[i, lips])) for v in (bright, red, pale))
        half = (pale[i, peak] + lip_pale) / 2
        if pale[i, peak] - lip_pale < _CONTRAST or bright[i, peak] < _BRIGHTER * lip_bright:
            continue
        if lip_red > _GREY and red[i, peak] > _PALER * lip_red:
            continue
        low = pale[i] < half
        above, below = np.flatnonzero(low[:peak]), np.flatnonzero(low[peak:])
        if len(above) and len(below) and along[above[-1]] < _FROM_TOP * columns.gap:
            top[i], edge[i] = along[above[-1]] + _STEP / 2, along[peak + below[0]] - _STEP / 2
    return _Row(top, edge)


def _posed(head: RiggedHead, portrait: Portrait) -> NDArray[np.float64]:
    expression, pose = (torch.as_tensor(x, dtype=torch.float32) for x in (portrait.expression, portrait.pose))
    return head.pose(expression, pose).numpy().astype(np.float64)


def _mesh_row(head: RiggedHead, portrait: Portrait, columns: _Columns) -> _Row:
    """The crowns of the head's upper teeth in the photo's view, lips taken away."""
    topology, camera = head.topology, portrait.camera
    drawn = np.flatnonzero(topology.part_faces("teethUpper", "gumsUpper"))
    fine = camera.resized(_FINE * camera.width, _FINE * camera.height)
    face = rasterize_mesh(_posed(head, portrait), topology.faces[drawn], fine).face
    tooth = (face >= 0) & topology.part_faces("teethUpper")[drawn[face]]
    reach = _MESH_REACH * columns.width
    along = np.arange(-reach, reach, 0.5 / _FINE)
    x, y = np.moveaxis((_FINE * columns.places(along)).astype(int), -1, 0)
    seen = tooth[y.clip(0, fine.height - 1), x.clip(0, fine.width - 1)]
    reached = seen.any(1)
    top = np.where(reached, along[seen.argmax(1)], np.nan)
    return _Row(top, np.where(reached, along[::-1][seen[:, ::-1].argmax(1)], np.nan))


def _metres_down(head: RiggedHead, portrait: Portrait, columns: _Columns, teeth: NDArray[np.bool_]) -> float:
    """Metres at rest, downwards, that move the incisors one pixel down the columns."""
    lowered = replace(head, vertices=head.vertices - torch.tensor([0.0, _PROBE, 0.0]))
    depth = head.vertices.numpy()[:, 2]
    front = teeth & (depth > depth[teeth].max() - _INCISORS)
    before, after = (portrait.camera.project(_posed(h, portrait)[front])[:, :2] for h in (head, lowered))
    return _PROBE / max(float(((after - before) @ columns.down).mean()), 1e-6)
