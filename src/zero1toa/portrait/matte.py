"""Which part of the crop is the person, to the level of hair, and its colour without the background's.

MediaPipe's segmenter answers at 256 px. Its answer gives a trimap: surely the person, surely not, a band between.
In the band closed-form matting follows the picture's own colours (Levin et al. 2008, "A closed-form solution to natural
image matting"), held weakly to what segmenter and colours say together, so that hair of the background's colour stays.
The colours of the person alone are Germer et al. 2020 ("Fast multi-level foreground estimation").
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator, cg

from zero1toa.heads.facemesh import OVAL

from .crop import Crop
from .load import to_bytes
from .matting_runtime import matting
from .mediapipe_runtime import person_mask

# Widths in px of a 512 crop; they scale with the crop. Judged by eye on the demo and the test pictures.
_HAIR_OUT: Final = 20.0  # how far strands reach beyond the segmenter's outline
_HAIR_IN: Final = 12.0  # how far background shines through inside it
_BODY_OUT: Final = 5.0  # clothes and skin have plain edges
_BODY_IN: Final = 5.0
_HEAD_WINDOW: Final = 1.75  # side of the second, closer look of the segmenter, in heights of the face
_AFAR: Final = 0.75  # the crop's size in its third look, in which it stands in a grey frame
_SURE: Final = 0.9  # the segmenter's probability from which on it is believed in the inside, and 1 minus that outside
_LAPLACIAN_EPSILON: Final = 1e-5  # pymatting's default of 1e-7 follows film grain and brush strokes
_PRIOR_WEIGHT: Final = 2e-2  # of the segmenter's answer against the matting Laplacian, per pixel
_COLOR_CELLS: Final = 24  # per channel of the colour histograms
_COLOR_FLOOR: Final = 1e-4  # density from which on a colour counts as seen
_MOST_EVIDENCE: Final = 4.0  # log likelihood ratio; one colour alone shall not decide against the segmenter
_TOLERANCE: Final = 1e-4  # of the solver, relative; the exact solution differs by less than 0.02 in alpha
_ITERATIONS: Final = 300
_CUTOUT: Final = 0.25  # mean alpha of the background below which the photo's transparency is a cut-out person's
_CUTOFF: Final = 0.02  # alpha below is nothing, above 1 - this everything


class Matte(NamedTuple):
    alpha: NDArray[np.float32]  # (S, S) in [0, 1]; 0 outside the photo
    foreground: NDArray[np.float32]  # (S, S, 3) sRGB in [0, 1]: what the person alone would look like


def matte_portrait(crop: Crop, landmarks: NDArray[np.float64]) -> Matte:
    """Cuts the person out of a crop.

    Args:
        crop: the square around the head. Where the photo's own transparency shows the person alone, that is the answer;
            transparency of another kind (rounded corners) only limits it.
        landmarks: (478, 3) in crop px.
    """
    image = crop.image.astype(np.float64)
    probability = person_probability(crop.image, landmarks)
    if crop.alpha is not None and _is_cutout(crop, probability):
        alpha = crop.alpha.astype(np.float64)
    else:
        trimap = make_trimap(probability, landmarks)
        probability = _weigh_colors(crop.image, trimap, probability, crop.valid)
        alpha = _clean(_closed_form(image, trimap, probability), landmarks)
        if crop.alpha is not None:
            alpha *= crop.alpha
    alpha *= crop.valid
    foreground = matting().estimate_foreground_ml(image, alpha)
    return Matte(alpha.astype(np.float32), np.asarray(foreground, np.float32).clip(0, 1))


def _is_cutout(crop: Crop, probability: NDArray[np.float64]) -> bool:
    """Whether what surely is background is mostly transparent."""
    background = crop.valid & (probability < 1 - _SURE)
    return crop.alpha is not None and bool(background.any()) and float(crop.alpha[background].mean()) < _CUTOUT


def person_probability(image: NDArray[np.float32], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S, S) in [0, 1]: the segmenter's answer for the crop, from afar and close to the head, each also mirrored."""
    size = image.shape[0]
    pixels = to_bytes(image)
    answer = (_look(pixels) + _look_from_afar(pixels)) / 2
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    side = int(min(size, float((high - low).max()) * _HEAD_WINDOW))
    left, top = ((low + high) / 2 - [side / 2, side * 0.55]).round().astype(int).clip(0, size - side)
    window = (slice(top, top + side), slice(left, left + side))
    closer = _look(pixels[window])
    ramp = np.minimum(np.arange(side) + 1, np.arange(side)[::-1] + 1) / (side * 0.12)
    weight = np.minimum.outer(ramp, ramp).clip(0, 1) * 0.5
    answer[window] = answer[window] * (1 - weight) + closer * weight
    return answer


def _look(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return (person_mask(pixels).astype(np.float64) + person_mask(pixels[:, ::-1])[:, ::-1]) / 2


def _look_from_afar(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """With the crop reduced inside a grey frame: the segmenter then judges the whole figure and errs elsewhere."""
    size = pixels.shape[0]
    inner = round(size * _AFAR)
    left, top = (size - inner) // 2, size - inner  # people reach to the lower edge of a picture
    framed = np.full_like(pixels, 128)
    framed[top:, left : left + inner] = Image.fromarray(pixels).resize((inner, inner), Image.Resampling.BOX)
    answer = _look(framed)[top:, left : left + inner].astype(np.float32)
    return np.asarray(Image.fromarray(answer).resize((size, size), Image.Resampling.BILINEAR), np.float64)


def _face(landmarks: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """(S, S): inside the face oval."""
    canvas = Image.new("1", (size, size))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in landmarks[list(OVAL), :2]], fill=1)
    return np.asarray(canvas)


def make_trimap(probability: NDArray[np.float64], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S, S): 1 surely the person, 0 surely not, 0.5 to be found out."""
    size = probability.shape[0]
    unit = size / 512
    face = _face(landmarks, size)
    person = _main_part((probability > 0.5) | face, face)
    person = ndimage.binary_fill_holes(person)
    inside = ndimage.distance_transform_edt(person)
    outside = ndimage.distance_transform_edt(~person)
    # Hair is expected around the head; below the chin it fades into the body over a quarter of the face's height.
    chin, brow = float(landmarks[152, 1]), float(landmarks[10, 1])
    rows = np.arange(size)[:, None] + 0.5
    hairy = 1 - ((rows - chin) / max(chin - brow, 1.0) / 0.5).clip(0, 1)
    reach_in = unit * (_BODY_IN + (_HAIR_IN - _BODY_IN) * hairy)
    reach_out = unit * (_BODY_OUT + (_HAIR_OUT - _BODY_OUT) * hairy)
    sure = (inside > reach_in) & (probability > _SURE)
    sure = _main_part(sure | face, face)
    nothing = (outside > reach_out) & ((probability < 1 - _SURE) | (outside > 2 * reach_out))
    trimap = np.full(probability.shape, 0.5)
    trimap[nothing] = 0
    trimap[sure | ndimage.binary_erosion(face, iterations=max(1, round(3 * unit)))] = 1
    return trimap


def _main_part(mask: NDArray[np.bool_], seed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected parts of a mask that touch the seed."""
    labels, _ = ndimage.label(mask)
    wanted = np.unique(labels[seed & mask])
    return np.isin(labels, wanted[wanted > 0])


def _weigh_colors(
    image: NDArray[np.float32],
    trimap: NDArray[np.float64],
    probability: NDArray[np.float64],
    valid: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The probability after Bayes with the colours of what is surely the person and surely not, where unknown."""
    cells = (image * (_COLOR_CELLS - 1e-3)).astype(int)
    index = np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), (_COLOR_CELLS,) * 3)

    def density(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        counts = np.bincount(index[mask], minlength=_COLOR_CELLS**3).reshape((_COLOR_CELLS,) * 3).astype(float)
        smooth = ndimage.gaussian_filter(counts, 1.0)
        return (smooth / max(smooth.sum(), 1.0)).ravel()[index] + _COLOR_FLOOR

    evidence = np.log(density((trimap == 1) & valid) / density((trimap == 0) & valid))
    certain = probability.clip(0.02, 0.98)
    logit = np.log(certain / (1 - certain)) + evidence.clip(-_MOST_EVIDENCE, _MOST_EVIDENCE)
    return np.where(trimap == 0.5, 1 / (1 + np.exp(-logit)), probability)


def _closed_form(
    image: NDArray[np.float64], trimap: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    unknown = trimap == 0.5
    if not unknown.any():
        return trimap
    laplacian = matting().cf_laplacian(image, epsilon=_LAPLACIAN_EPSILON, is_known=~unknown)
    inner = np.flatnonzero(unknown)
    outer = np.flatnonzero(~unknown)
    rows = laplacian[inner]
    system = rows[:, inner].tocsr()
    answer = prior.ravel()[inner]
    weight = _PRIOR_WEIGHT * (2 * answer - 1) ** 2  # none where the segmenter does not know
    system.setdiag(system.diagonal() + weight)
    right = -rows[:, outer] @ trimap.ravel()[outer] + weight * answer
    alpha = trimap.ravel().copy()
    diagonal = system.diagonal()
    jacobi = LinearOperator(system.shape, matvec=lambda vector: vector / diagonal)
    alpha[inner], _ = cg(system, right, x0=answer, rtol=_TOLERANCE, maxiter=_ITERATIONS, M=jacobi)
    return alpha.reshape(trimap.shape).clip(0, 1)


def _clean(alpha: NDArray[np.float64], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretched to the full range and freed of what hangs in the air."""
    alpha = ((alpha - _CUTOFF) / (1 - 2 * _CUTOFF)).clip(0, 1)
    return alpha * _main_part(alpha > 0, _face(landmarks, alpha.shape[0]))
