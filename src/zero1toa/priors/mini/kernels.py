"""Loops over triangles and pixels that draw small synthetic portraits quickly. Single precision, plain NumPy arrays.

Pictures here are supersampled: `scale` rays along each side of a pixel. What a ray meets is kept as a triangle and two
barycentric weights, so that everything that a pixel needs (albedo, light, the place in another picture) is looked up
afterwards.
"""

from __future__ import annotations

import numba
import numpy as np

_EDGE = np.float32(-1e-5)  # a ray on an edge belongs to both triangles; the z-buffer decides
_NARROW = 3  # rays beside each other that are tried one by one
_MARGIN = np.float32(1e-2)  # rays
_SMALLEST = np.float32(1e-9)  # px^2: thinner triangles meet no ray
FAR = np.float32(1e9)  # metres: farther than anything that is drawn
_FAINTEST = np.float32(4e-4)  # highlights below a tenth of a step of 8 bit are left out
_SHOULDER = np.float32(0.8)  # brightness from which a picture is compressed towards 1


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def _add_normal(vertices, a, b, c, out):  # type: ignore[no-untyped-def]
    """Adds a triangle's normal, as long as twice its area, to `out` (V, 3) at its corners."""
    ux, uy, uz = (
        vertices[b, 0] - vertices[a, 0],
        vertices[b, 1] - vertices[a, 1],
        vertices[b, 2] - vertices[a, 2],
    )
    vx, vy, vz = (
        vertices[c, 0] - vertices[a, 0],
        vertices[c, 1] - vertices[a, 1],
        vertices[c, 2] - vertices[a, 2],
    )
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    for k in (a, b, c):
        out[k, 0] += x
        out[k, 1] += y
        out[k, 2] += z


@numba.njit(cache=True, nogil=True, fastmath=True)
def normals(vertices, faces, out):  # type: ignore[no-untyped-def]
    """Unit normals (V, 3) into `out`, weighted by area."""
    out[:] = 0
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        _add_normal(vertices, a, b, c, out)
    for i in range(len(out)):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + np.float32(1e-12)
        for k in range(3):
            out[i, k] /= length


@numba.njit(cache=True, nogil=True, fastmath=True)
def normals_of_seen(vertices, faces, face, seen, out):  # type: ignore[no-untyped-def]
    """`normals` of the vertices that rays meet.

    Args:
        vertices: (V, 3).
        faces: (T, 3).
        face: (H, W) triangles that rays meet, from `rasterize`.
        seen: (V,) out: whether a vertex is a corner of one of them.
        out: (V, 3) out: unit normals of these, anything for the others.
    """
    seen[:] = False
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            f = face[y, x]
            if f >= 0:
                seen[faces[f, 0]] = seen[faces[f, 1]] = seen[faces[f, 2]] = True
    out[:] = 0
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if not (seen[a] or seen[b] or seen[c]):
            continue
        _add_normal(vertices, a, b, c, out)
    for i in range(len(out)):
        if seen[i]:
            length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + np.float32(1e-12)
            for k in range(3):
                out[i, k] /= length


@numba.njit(cache=True, nogil=True, fastmath=True)
def skin(rows, weights, transforms, vertices):  # type: ignore[no-untyped-def]
    """Linear blend skinning in place, as `heads.skinning.skin` does it.

    Args:
        rows: (R,) the vertices that move.
        weights: (V, J), most of them zero.
        transforms: (F, J, 4, 4).
        vertices: (F, V, 3) at rest.
    """
    blended = np.empty((3, 4), np.float32)
    for f in range(len(vertices)):
        for i in rows:
            blended[:] = 0
            for j in range(weights.shape[1]):
                share = weights[i, j]
                if share != 0:
                    for r in range(3):
                        for c in range(4):
                            blended[r, c] += share * transforms[f, j, r, c]
            x, y, z = vertices[f, i, 0], vertices[f, i, 1], vertices[f, i, 2]
            for r in range(3):
                vertices[f, i, r] = blended[r, 0] * x + blended[r, 1] * y + blended[r, 2] * z + blended[r, 3]


@numba.njit(cache=True, nogil=True, fastmath=True)
def project(vertices, view, fx, fy, cx, cy, out):  # type: ignore[no-untyped-def]
    """Pixels and depth (V, 3) into `out`; `view` (3, 4) maps world to camera."""
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        px = view[0, 0] * x + view[0, 1] * y + view[0, 2] * z + view[0, 3]
        py = view[1, 0] * x + view[1, 1] * y + view[1, 2] * z + view[1, 3]
        pz = view[2, 0] * x + view[2, 1] * y + view[2, 2] * z + view[2, 3]
        out[i, 0] = fx * px / pz + cx
        out[i, 1] = fy * py / pz + cy
        out[i, 2] = pz


@numba.njit(cache=True, nogil=True, fastmath=True)
def project_parallel(vertices, middle, frame, scale, center, out):  # type: ignore[no-untyped-def]
    """The same for a camera at infinity: `frame` (3, 3) has its right, its up and the direction towards it as rows,
    `middle` (3,) is at pixel (center, center), and a metre has `scale` px."""
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0] - middle[0], vertices[i, 1] - middle[1], vertices[i, 2] - middle[2]
        out[i, 0] = center + scale * (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z)
        out[i, 1] = center - scale * (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z)
        out[i, 2] = np.float32(1) - (frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z)


@numba.njit(cache=True, nogil=True, fastmath=True)
def between(vertices, corners, shares, out):  # type: ignore[no-untyped-def]
    """(N, 3) places within triangles: corners (N, 3) and barycentric shares (N, 3) of vertices (V, 3)."""
    for n in range(len(out)):
        i, j, k = corners[n, 0], corners[n, 1], corners[n, 2]
        for c in range(3):
            first = shares[n, 0] * vertices[i, c] + shares[n, 1] * vertices[j, c]
            out[n, c] = first + shares[n, 2] * vertices[k, c]


@numba.njit(cache=True, nogil=True, fastmath=True)
def rasterize(points, faces, first, closed, depth, face, weights):  # type: ignore[no-untyped-def]
    """Draws triangles `faces[first:]`, whose corners are rows of `points` in pixels and depth, over what is there.

    Args:
        points: (P, 3).
        faces: (T, 3).
        first: where to begin.
        closed: (C,) whether a triangle's back is never seen: it is left out where it turns away. From C on all
            have two sides.
        depth: (H, W) the z-buffer, metres.
        face: (H, W) triangle, -1 where nothing is.
        weights: (H, W, 2) barycentric weights of the second and third corner, linear on the screen.
    """
    height, width = depth.shape
    half = np.float32(0.5)
    # First which triangles can meet a ray at all, without a branch: on a dense mesh nobody could predict it.
    near = np.empty(len(faces) - first, np.int32)
    boxes = np.empty((len(faces) - first, 4), np.int32)
    count = 0
    for f in range(first, len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay = points[i, 0], points[i, 1]
        bx, by = points[j, 0], points[j, 1]
        cx, cy = points[k, 0], points[k, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        x0 = max(np.float32(0), np.ceil(min(ax, bx, cx) - half))
        x1 = min(np.float32(width - 1), np.floor(max(ax, bx, cx) - half))
        y0 = max(np.float32(0), np.ceil(min(ay, by, cy) - half))
        y1 = min(np.float32(height - 1), np.floor(max(ay, by, cy) - half))
        near[count] = f
        boxes[count, 0], boxes[count, 1] = np.int32(x0), np.int32(x1)
        boxes[count, 2], boxes[count, 3] = np.int32(y0), np.int32(y1)
        open_ = f >= len(closed) or closed[f] == 0
        count += int(((area < -_SMALLEST) | ((area > _SMALLEST) & open_)) & (x0 <= x1) & (y0 <= y1))
    for n in range(count):
        f = near[n]
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = points[i, 0], points[i, 1], points[i, 2]
        abx, aby = points[j, 0] - ax, points[j, 1] - ay
        acx, acy = points[k, 0] - ax, points[k, 1] - ay
        inverse = np.float32(1) / (abx * acy - acx * aby)
        abz, acz = points[j, 2] - az, points[k, 2] - az
        nearest = az + min(abz, acz, np.float32(0))
        x0, x1 = boxes[n, 0], boxes[n, 1]
        right_b, right_c = acy * inverse, -aby * inverse  # change of both weights from ray to ray
        for y in range(boxes[n, 2], boxes[n, 3] + 1):
            dx, dy = np.float32(x0) + half - ax, np.float32(y) + half - ay
            wb0 = (dx * acy - acx * dy) * inverse
            wc0 = (abx * dy - dx * aby) * inverse
            start, end = 0, x1 - x0
            if end > _NARROW:
                low, high = np.float32(0), np.float32(end)
                low, high = _span(wb0, right_b, low, high)
                low, high = _span(wc0, right_c, low, high)
                low, high = _span(np.float32(1) - wb0 - wc0, -right_b - right_c, low, high)
                start, end = int(np.ceil(low)), int(np.floor(high))
            for step in range(start, end + 1):
                x = x0 + step
                if nearest >= depth[y, x]:  # as of all that lies inside a closed mouth
                    continue
                wb, wc = wb0 + np.float32(step) * right_b, wc0 + np.float32(step) * right_c
                if min(wb, wc, np.float32(1) - wb - wc) < _EDGE:
                    continue
                z = az + wb * abz + wc * acz
                if z < depth[y, x]:
                    depth[y, x] = z
                    face[y, x] = f
                    weights[y, x, 0] = wb
                    weights[y, x, 1] = wc


@numba.njit(cache=True, nogil=True, fastmath=True)
def _span(start, change, low, high):  # type: ignore[no-untyped-def]
    """The part of [low, high] where start + x change is not negative, a little wider."""
    if change > np.float32(1e-6):
        return max(low, -start / change - _MARGIN), high
    if change < np.float32(-1e-6):
        return low, min(high, -start / change + _MARGIN)
    return low, high


@numba.njit(cache=True, nogil=True, fastmath=True)
def light_vertices(  # type: ignore[no-untyped-def]
    seen, normal, view_direction, lights, colors, shadows, hemisphere, ambient, shine, gloss, shiny, two_sided, out
):
    """(V, 4) the light's red, green and blue, and a highlight, at every vertex.

    Args:
        seen: (V,) others are left as they are.
        normal: (V, 3).
        view_direction: (3,) from the head to the camera.
        lights: (L, 3) unit vectors towards the lights.
        colors: (L, 3) of the lights.
        shadows: (L, V) share of each light that arrives.
        hemisphere: how much more light comes from above than from below, in [0, 1].
        ambient: (3,).
        shine: size of highlights.
        gloss: exponent of highlights.
        shiny: (V,) share of the highlights.
        two_sided: vertices from this one on are lit on both sides, as hair is.
    """
    count = len(lights)
    half_way, least = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    for k in range(count):
        for c in range(3):
            half_way[k, c] = lights[k, c] + view_direction[c]
        length = np.sqrt(half_way[k, 0] ** 2 + half_way[k, 1] ** 2 + half_way[k, 2] ** 2 + np.float32(1e-9))
        for c in range(3):
            half_way[k, c] /= length
        least[k] = (_FAINTEST / max(shine * colors[k, 1], _FAINTEST)) ** (np.float32(1) / gloss)
    for i in range(len(normal)):
        if not seen[i]:
            continue
        nx, ny, nz = normal[i, 0], normal[i, 1], normal[i, 2]
        sky = np.float32(1) + hemisphere * ny
        r, g, b = ambient[0] * sky, ambient[1] * sky, ambient[2] * sky
        high = np.float32(0)
        for k in range(count):
            facing = nx * lights[k, 0] + ny * lights[k, 1] + nz * lights[k, 2]
            if i >= two_sided:
                facing = np.float32(0.5) * facing + np.float32(0.5)
            if facing <= 0:
                continue
            share = facing * shadows[k, i]
            r += share * colors[k, 0]
            g += share * colors[k, 1]
            b += share * colors[k, 2]
            half = nx * half_way[k, 0] + ny * half_way[k, 1] + nz * half_way[k, 2]
            if half > least[k]:
                high += shine * shadows[k, i] * half**gloss * colors[k, 1]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = r, g, b, high * shiny[i]


@numba.njit(cache=True, nogil=True, fastmath=True)
def shade(  # type: ignore[no-untyped-def]
    face,
    weights,
    faces,
    face_uvs,
    texture,
    extra_colors,
    light,
    background,
    scale,
    image,
    alpha,
):
    """The picture (H, W, 3) and its coverage (H, W) of what rays (scale H, scale W) meet.

    Args:
        face: from `rasterize`.
        weights: from `rasterize`.
        faces: (T, 3) of head and extras.
        face_uvs: (T', 3, 2) texture coordinates, v up, of the first T' of them: the head's, which has a texture.
        texture: (S, S, 3) albedo.
        extra_colors: (V, 3) albedo of the extras' vertices.
        light: (V, 4) from `light_vertices`.
        background: (H, W, 3).
        scale: rays along each side of a pixel.
    """
    size = texture.shape[0]
    share = np.float32(1) / np.float32(scale * scale)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            r, g, b, hits = np.float32(0), np.float32(0), np.float32(0), 0
            for y in range(row * scale, (row + 1) * scale):
                for x in range(column * scale, (column + 1) * scale):
                    f = face[y, x]
                    if f < 0:
                        continue
                    hits += 1
                    wb, wc = weights[y, x, 0], weights[y, x, 1]
                    wa = np.float32(1) - wb - wc
                    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                    if f < len(face_uvs):
                        u = wa * face_uvs[f, 0, 0] + wb * face_uvs[f, 1, 0] + wc * face_uvs[f, 2, 0]
                        v = wa * face_uvs[f, 0, 1] + wb * face_uvs[f, 1, 1] + wc * face_uvs[f, 2, 1]
                        tx = min(max(u * size - np.float32(0.5), np.float32(0)), np.float32(size - 1.001))
                        ty = min(
                            max((np.float32(1) - v) * size - np.float32(0.5), np.float32(0)), np.float32(size - 1.001)
                        )
                        x0, y0 = int(tx), int(ty)
                        dx, dy = tx - x0, ty - y0
                        w00, w01 = (1 - dx) * (1 - dy), dx * (1 - dy)
                        w10, w11 = (1 - dx) * dy, dx * dy
                        ar = (
                            w00 * texture[y0, x0, 0]
                            + w01 * texture[y0, x0 + 1, 0]
                            + w10 * texture[y0 + 1, x0, 0]
                            + w11 * texture[y0 + 1, x0 + 1, 0]
                        )
                        ag = (
                            w00 * texture[y0, x0, 1]
                            + w01 * texture[y0, x0 + 1, 1]
                            + w10 * texture[y0 + 1, x0, 1]
                            + w11 * texture[y0 + 1, x0 + 1, 1]
                        )
                        ab = (
                            w00 * texture[y0, x0, 2]
                            + w01 * texture[y0, x0 + 1, 2]
                            + w10 * texture[y0 + 1, x0, 2]
                            + w11 * texture[y0 + 1, x0 + 1, 2]
                        )
                    else:
                        ar = wa * extra_colors[i, 0] + wb * extra_colors[j, 0] + wc * extra_colors[k, 0]
                        ag = wa * extra_colors[i, 1] + wb * extra_colors[j, 1] + wc * extra_colors[k, 1]
                        ab = wa * extra_colors[i, 2] + wb * extra_colors[j, 2] + wc * extra_colors[k, 2]
                    high = wa * light[i, 3] + wb * light[j, 3] + wc * light[k, 3]
                    r += _shoulder(ar * (wa * light[i, 0] + wb * light[j, 0] + wc * light[k, 0]) + high)
                    g += _shoulder(ag * (wa * light[i, 1] + wb * light[j, 1] + wc * light[k, 1]) + high)
                    b += _shoulder(ab * (wa * light[i, 2] + wb * light[j, 2] + wc * light[k, 2]) + high)
            cover = hits * share
            alpha[row, column] = cover
            image[row, column, 0] = r * share + (1 - cover) * background[row, column, 0]
            image[row, column, 1] = g * share + (1 - cover) * background[row, column, 1]
            image[row, column, 2] = b * share + (1 - cover) * background[row, column, 2]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _shoulder(value):  # type: ignore[no-untyped-def]
    """Brightness above `_SHOULDER` comes ever closer to 1."""
    if value <= _SHOULDER:
        return max(value, np.float32(0))
    over = (value - _SHOULDER) / (np.float32(1) - _SHOULDER)
    return _SHOULDER + (np.float32(1) - _SHOULDER) * over / (np.float32(1) + over)


@numba.njit(cache=True, nogil=True, fastmath=True)
def in_shadow(points, depth, tolerance, left, out):  # type: ignore[no-untyped-def]
    """(V,) what a light leaves at each of `points` (V, 3), px and depth in its own picture: `left` behind its z-buffer
    (S, S) by more than `tolerance`, else 1."""
    last = len(depth) - 1
    for i in range(len(points)):
        column = min(max(int(points[i, 0]), 0), last)
        row = min(max(int(points[i, 1]), 0), last)
        out[i] = left if points[i, 2] - depth[row, column] > tolerance else np.float32(1)


@numba.njit(cache=True, nogil=True)
def trilinear(lattice, points, frequency, out):  # type: ignore[no-untyped-def]
    """(N,) a lattice (S, S, S) that repeats itself, interpolated at points (N, 3) times frequency (3,)."""
    size = len(lattice)
    for n in range(len(points)):
        x, y, z = points[n, 0] * frequency[0], points[n, 1] * frequency[1], points[n, 2] * frequency[2]
        fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
        dx, dy, dz = x - fx, y - fy, z - fz
        x0, y0, z0 = int(fx) % size, int(fy) % size, int(fz) % size
        x1, y1, z1 = (x0 + 1) % size, (y0 + 1) % size, (z0 + 1) % size
        low = (1 - dy) * ((1 - dz) * lattice[x0, y0, z0] + dz * lattice[x0, y0, z1])
        low += dy * ((1 - dz) * lattice[x0, y1, z0] + dz * lattice[x0, y1, z1])
        high = (1 - dy) * ((1 - dz) * lattice[x1, y0, z0] + dz * lattice[x1, y0, z1])
        high += dy * ((1 - dz) * lattice[x1, y1, z0] + dz * lattice[x1, y1, z1])
        out[n] = (1 - dx) * low + dx * high


@numba.njit(cache=True, nogil=True, fastmath=True)
def to_bytes(values, out):  # type: ignore[no-untyped-def]
    """[0, 1] to 0..255, of flat arrays."""
    for i in range(len(values)):
        out[i] = np.uint8(min(max(values[i] * np.float32(255) + np.float32(0.5), np.float32(0)), np.float32(255)))
