"""Loops over pixels that carry a photo to another view of the same head, complete what it does not show, and draw the
landmarks' lines beside it. Rays and pictures are those of `kernels`.
"""

from __future__ import annotations

import numba
import numpy as np

from .kernels import FAR

_OWN_TOLERANCE = np.float32(0.006)  # metres behind the photo's surface at which a place still counts as seen
_LEAST_FACING, _FULL_FACING = np.float32(0.1), np.float32(0.5)  # cosines at which the photo shows nothing, everything


@numba.njit(cache=True, nogil=True, fastmath=True)
def seen_in_photo(points, depth, facing, out):  # type: ignore[no-untyped-def]
    """(V,) in [0, 1] how well a photo shows each vertex.

    Args:
        points: (V, 3) pixels and depth of the vertices in the photo.
        depth: (R, R) z-buffer of the photo, of the same resolution.
        facing: (V,) cosine of the angle at which the photo sees the vertex.
    """
    height, width = depth.shape
    for i in range(len(points)):
        x, y = int(np.floor(points[i, 0])), int(np.floor(points[i, 1]))
        out[i] = 0
        if x < 0 or y < 0 or x >= width or y >= height:
            continue
        behind = FAR  # the nearest surface's neighbourhood: a slope of the surface within a pixel is no occlusion
        for v in range(max(y - 1, 0), min(y + 2, height)):
            for u in range(max(x - 1, 0), min(x + 2, width)):
                behind = min(behind, points[i, 2] - depth[v, u])
        own = points[i, 2] - depth[y, x]
        if own > _OWN_TOLERANCE and behind > np.float32(0.0):
            continue
        t = (facing[i] - _LEAST_FACING) / (_FULL_FACING - _LEAST_FACING)
        t = min(max(t, np.float32(0)), np.float32(1))
        out[i] = t * t * (3 - 2 * t)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _bilinear(picture, x, y, c):  # type: ignore[no-untyped-def]
    height, width = picture.shape[0], picture.shape[1]
    px = min(max(x - np.float32(0.5), np.float32(0)), np.float32(width - 1.001))
    py = min(max(y - np.float32(0.5), np.float32(0)), np.float32(height - 1.001))
    x0, y0 = int(px), int(py)
    dx, dy = px - x0, py - y0
    return (1 - dy) * ((1 - dx) * picture[y0, x0, c] + dx * picture[y0, x0 + 1, c]) + dy * (
        (1 - dx) * picture[y0 + 1, x0, c] + dx * picture[y0 + 1, x0 + 1, c]
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sample(picture, x, y):  # type: ignore[no-untyped-def]
    """All four channels of a picture (R, R, 4)."""
    height, width = picture.shape[0], picture.shape[1]
    px = min(max(x - np.float32(0.5), np.float32(0)), np.float32(width - 1.001))
    py = min(max(y - np.float32(0.5), np.float32(0)), np.float32(height - 1.001))
    x0, y0 = int(px), int(py)
    dx, dy = px - np.float32(x0), py - np.float32(y0)
    one = np.float32(1)
    w00, w01, w10, w11 = (one - dy) * (one - dx), (one - dy) * dx, dy * (one - dx), dy * dx
    a, b, c, d = picture[y0, x0], picture[y0, x0 + 1], picture[y0 + 1, x0], picture[y0 + 1, x0 + 1]
    return (
        w00 * a[0] + w01 * b[0] + w10 * c[0] + w11 * d[0],
        w00 * a[1] + w01 * b[1] + w10 * c[1] + w11 * d[1],
        w00 * a[2] + w01 * b[2] + w10 * c[2] + w11 * d[2],
        w00 * a[3] + w01 * b[3] + w10 * c[3] + w11 * d[3],
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def sample_points(picture, points, out):  # type: ignore[no-untyped-def]
    """(V, 3) colours of a picture (R, R, C) at points (V, 2 or more), px."""
    for i in range(len(points)):
        for c in range(3):
            out[i, c] = _bilinear(picture, points[i, 0], points[i, 1], c)


@numba.njit(cache=True, nogil=True, fastmath=True)
def lift(face, weights, faces, lifted, photo, mirrored, guessed, scale, color, known, cover):  # type: ignore[no-untyped-def]
    """What a photo says about each pixel of another view of the same head.

    Args:
        face: (scale H, scale W) triangles of the head that the other view's rays meet.
        weights: from `rasterize`.
        faces: (T, 3).
        lifted: (V, 9) of each vertex: how well the photo shows it and where, px; the same of the vertex on the other
            side; its colour if the photo shows neither.
        photo: (R, R, 4) colours over any background, and the coverage.
        guessed: weight of the guess, against 1 for the place itself.
        mirrored: weight of what the photo shows of the other side, against 1 for the place itself.
        scale: rays along each side of a pixel.
        color: (H, W, 3) out: colours times weight.
        known: (H, W, 2) out: confidence in [0, 1], and the sum of weights.
        cover: (H, W) out: share of rays that meet the head.
    """
    share = np.float32(1) / np.float32(scale * scale)
    for row in range(color.shape[0]):
        for column in range(color.shape[1]):
            r, g, b = np.float32(0), np.float32(0), np.float32(0)
            sure, total, hits = np.float32(0), np.float32(0), 0
            for y in range(row * scale, (row + 1) * scale):
                for x in range(column * scale, (column + 1) * scale):
                    f = face[y, x]
                    if f < 0:
                        continue
                    hits += 1
                    wb, wc = weights[y, x, 0], weights[y, x, 1]
                    wa = np.float32(1) - wb - wc
                    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                    r += guessed * (wa * lifted[i, 6] + wb * lifted[j, 6] + wc * lifted[k, 6])
                    g += guessed * (wa * lifted[i, 7] + wb * lifted[j, 7] + wc * lifted[k, 7])
                    b += guessed * (wa * lifted[i, 8] + wb * lifted[j, 8] + wc * lifted[k, 8])
                    total += guessed
                    for side in range(2):
                        c = 3 * side
                        confidence = wa * lifted[i, c] + wb * lifted[j, c] + wc * lifted[k, c]
                        if confidence <= np.float32(0.01):
                            continue
                        px = wa * lifted[i, c + 1] + wb * lifted[j, c + 1] + wc * lifted[k, c + 1]
                        py = wa * lifted[i, c + 2] + wb * lifted[j, c + 2] + wc * lifted[k, c + 2]
                        red, green, blue, matte = _sample(photo, px, py)
                        confidence *= (matte * matte) * (matte * matte)  # edges of the matte show the background
                        weight = confidence if side == 0 else mirrored * confidence
                        r += weight * red
                        g += weight * green
                        b += weight * blue
                        total += weight
                        if side == 0:
                            sure += confidence
            color[row, column, 0], color[row, column, 1], color[row, column, 2] = r, g, b
            known[row, column, 0] = sure / hits if hits else np.float32(0)
            known[row, column, 1] = total
            cover[row, column] = hits * share


@numba.njit(cache=True, nogil=True, fastmath=True)
def fill(color, total):  # type: ignore[no-untyped-def]
    """Divides colours (H, W, 3) by their weights (H, W) in place; where these vanish, colours come from coarser and
    coarser means of the picture ("pull and push"). The side is a power of two."""
    size = color.shape[0]
    levels = int(np.round(np.log2(size)))
    colors = [color]
    totals = [total]
    for _ in range(levels):
        fine, weight = colors[-1], totals[-1]
        half = fine.shape[0] // 2
        coarse, sums = np.zeros((half, half, 3), np.float32), np.zeros((half, half), np.float32)
        for y in range(half):
            for x in range(half):
                for v in range(2):
                    for u in range(2):
                        w = weight[2 * y + v, 2 * x + u]
                        capped = min(np.float32(1), w) / max(w, np.float32(1e-6))
                        sums[y, x] += w * capped
                        for c in range(3):
                            coarse[y, x, c] += fine[2 * y + v, 2 * x + u, c] * capped
        colors.append(coarse)
        totals.append(sums)
    last, weight_last = colors[levels], totals[levels]
    for c in range(3):
        last[0, 0, c] /= max(weight_last[0, 0], np.float32(1e-6))
    for level in range(levels - 1, -1, -1):
        fine, weight, coarse = colors[level], totals[level], colors[level + 1]
        side = fine.shape[0]
        half = coarse.shape[0]
        for y in range(side):
            for x in range(side):
                w = weight[y, x]
                trust = min(w * 4, np.float32(1))
                for c in range(3):
                    px = min(max((x + np.float32(0.5)) / 2 - np.float32(0.5), np.float32(0)), np.float32(half - 1))
                    py = min(max((y + np.float32(0.5)) / 2 - np.float32(0.5), np.float32(0)), np.float32(half - 1))
                    x0, y0 = int(px), int(py)
                    x1, y1 = min(x0 + 1, half - 1), min(y0 + 1, half - 1)
                    dx, dy = px - x0, py - y0
                    around = (1 - dy) * ((1 - dx) * coarse[y0, x0, c] + dx * coarse[y0, x1, c]) + dy * (
                        (1 - dx) * coarse[y1, x0, c] + dx * coarse[y1, x1, c]
                    )
                    own = fine[y, x, c] / max(w, np.float32(1e-6))
                    fine[y, x, c] = trust * own + (1 - trust) * around


@numba.njit(cache=True, nogil=True, fastmath=True)
def draw_lines(points, edges, colors, thickness, image):  # type: ignore[no-untyped-def]
    """Straight lines between landmarks into `image` (H, W, 3), one over the other.

    Args:
        points: (478, 2) pixels of `image`.
        edges: (E, 2) landmark indices; an edge from a landmark to itself is a dot.
        colors: (E, 3) in [0, 1].
        thickness: px.
    """
    height, width = image.shape[0], image.shape[1]
    reach = thickness / 2
    for e in range(len(edges)):
        ax, ay = points[edges[e, 0], 0], points[edges[e, 0], 1]
        bx, by = points[edges[e, 1], 0], points[edges[e, 1], 1]
        x0, x1 = max(0, int(min(ax, bx) - reach)), min(width - 1, int(max(ax, bx) + reach))
        y0, y1 = max(0, int(min(ay, by) - reach)), min(height - 1, int(max(ay, by) + reach))
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy + np.float32(1e-9)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + np.float32(0.5) - ax, y + np.float32(0.5) - ay
                t = min(max((px * dx + py * dy) / square, np.float32(0)), np.float32(1))
                gap = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
                cover = min(max(reach + np.float32(0.5) - gap, np.float32(0)), np.float32(1))
                if cover > 0:
                    for c in range(3):
                        image[y, x, c] += cover * (colors[e, c] - image[y, x, c])


@numba.njit(cache=True, nogil=True, fastmath=True)
def polygon(points, image):  # type: ignore[no-untyped-def]
    """Sets pixels of `image` (H, W) whose centre lies inside a polygon (N, 2) to 1, the others to 0.

    Few edges cross a row: left of each crossing, what was outside is inside, and the other way round.
    """
    count = len(points)
    width = image.shape[1]
    image[:] = 0
    for y in range(image.shape[0]):
        py = y + 0.5
        for i in range(count):
            j = i + 1 if i + 1 < count else 0
            ax, ay, bx, by = points[i, 0], points[i, 1], points[j, 0], points[j, 1]
            if (ay > py) != (by > py):
                crossing = (bx - ax) * (py - ay) / (by - ay) + ax
                for x in range(min(max(int(np.ceil(crossing - 0.5)), 0), width)):
                    image[y, x] = 1 - image[y, x]


@numba.njit(cache=True, nogil=True, fastmath=True)
def halved(picture, out):  # type: ignore[no-untyped-def]
    """Means of two by two pixels of a picture (2 H, 2 W, 3) into `out` (H, W, 3)."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for c in range(3):
                upper = picture[2 * y, 2 * x, c] + picture[2 * y, 2 * x + 1, c]
                lower = picture[2 * y + 1, 2 * x, c] + picture[2 * y + 1, 2 * x + 1, c]
                out[y, x, c] = (upper + lower) * np.float32(0.25)


@numba.njit(cache=True, nogil=True, fastmath=True)
def layer(camera, photo_camera, plane, beyond, image, color, sure, layer_sure):  # type: ignore[no-untyped-def]
    """Lays what stands beside the head in a photo (hair) over a background, as a picture on a plane of constant z.

    Args:
        camera: (16,) rotation row by row, position, fx, fy, cx, cy of the view.
        photo_camera: the same of the photo.
        plane: z, metres.
        beyond: (R, R) share of a photo's pixel that is of the person, but not of the head.
        image: (R, R, 3) the photo.
        color: (H, W, 3) the background, in place.
        sure: (H, W) its confidence, in place.
        layer_sure: confidence of the layer.
    """
    limit = beyond.shape[0]
    px, py, pz = photo_camera[9], photo_camera[10], photo_camera[11]
    for y in range(color.shape[0]):
        for x in range(color.shape[1]):
            u = (x + np.float32(0.5) - camera[14]) / camera[12]
            v = (y + np.float32(0.5) - camera[15]) / camera[13]
            dx = u * camera[0] + v * camera[3] + camera[6]
            dy = u * camera[1] + v * camera[4] + camera[7]
            dz = u * camera[2] + v * camera[5] + camera[8]
            if dz > np.float32(-0.1):
                continue
            t = (plane - camera[11]) / dz
            ax, ay, az = camera[9] + t * dx - px, camera[10] + t * dy - py, plane - pz
            depth = photo_camera[6] * ax + photo_camera[7] * ay + photo_camera[8] * az
            column = (photo_camera[0] * ax + photo_camera[1] * ay + photo_camera[2] * az) / depth
            row = (photo_camera[3] * ax + photo_camera[4] * ay + photo_camera[5] * az) / depth
            i = int(np.floor(photo_camera[13] * row + photo_camera[15]))
            j = int(np.floor(photo_camera[12] * column + photo_camera[14]))
            if i < 0 or j < 0 or i >= limit or j >= limit or t < 0:
                continue
            share = beyond[i, j]
            for c in range(3):
                color[y, x, c] += share * (image[i, j, c] - color[y, x, c])
            sure[y, x] += share * (layer_sure - sure[y, x])


@numba.njit(cache=True, nogil=True, fastmath=True)
def over(color, known, cover, back, back_sure, mixed):  # type: ignore[no-untyped-def]
    """Lays what `lift` found over what lies behind it.

    Args:
        color: (H, W, 3) colours times weight.
        known: (H, W, 2) confidence and the sum of weights; out: confidence of the mixture, and the coverage.
        cover: (H, W) share of rays that meet the head.
        back: (H, W, 3).
        back_sure: (H, W) its confidence.
        mixed: (H, W, 3) out.
    """
    for y in range(color.shape[0]):
        for x in range(color.shape[1]):
            share = cover[y, x]
            rest = np.float32(1) - share
            scale = share / max(known[y, x, 1], np.float32(1e-9))
            for c in range(3):
                mixed[y, x, c] = scale * color[y, x, c] + rest * back[y, x, c]
            known[y, x, 0] = share * known[y, x, 0] + rest * back_sure[y, x]
            known[y, x, 1] = share
