"""Loops over triangles and pixels that draw small synthetic portraits quickly. Single precision, plain NumPy arrays.

Pictures here are supersampled: `scale` rays along each side of a pixel. What a ray meets is kept as a triangle and two
barycentric weights, so that everything that a pixel needs (albedo, light, the place in another picture) is looked up
afterwards.
"""

from __future__ import annotations

import numba
import numpy as np

_EDGE = np.float32(-1e-5)  # a ray on an edge belongs to both triangles; the z-buffer decides
_FAR = np.float32(1e9)
_SHOULDER = np.float32(0.8)  # brightness from which a picture is compressed towards 1
_OWN_TOLERANCE = np.float32(0.006)  # metres behind the photo's surface at which a place still counts as seen
_LEAST_FACING, _FULL_FACING = np.float32(0.1), np.float32(0.5)  # cosines at which the photo shows nothing, everything


@numba.njit(cache=True, nogil=True, fastmath=True)
def normals(vertices, faces, out):  # type: ignore[no-untyped-def]
    """Unit normals (V, 3) into `out`, weighted by area."""
    out[:] = 0
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
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
    for i in range(len(out)):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + np.float32(1e-12)
        for k in range(3):
            out[i, k] /= length


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
def rasterize(points, faces, first, offset, depth, face, weights):  # type: ignore[no-untyped-def]
    """Draws triangles `faces[first:]`, whose corners are rows of `points` in pixels and depth, over what is there.

    Args:
        points: (P, 3).
        faces: (T, 3).
        first: where to begin.
        offset: unused rows of `points` before index 0.
        depth: (H, W) the z-buffer, metres.
        face: (H, W) triangle, -1 where nothing is.
        weights: (H, W, 2) barycentric weights of the second and third corner, linear on the screen.
    """
    height, width = depth.shape
    for f in range(first, len(faces)):
        i, j, k = faces[f, 0] + offset, faces[f, 1] + offset, faces[f, 2] + offset
        ax, ay = points[i, 0], points[i, 1]
        bx, by = points[j, 0], points[j, 1]
        cx, cy = points[k, 0], points[k, 1]
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - np.float32(0.5))))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx) - np.float32(0.5))))
        if x0 > x1:
            continue
        y0 = max(0, int(np.ceil(min(ay, by, cy) - np.float32(0.5))))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy) - np.float32(0.5))))
        if y0 > y1:
            continue
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < np.float32(1e-9):
            continue
        inverse = np.float32(1) / area
        az, bz, cz = points[i, 2], points[j, 2], points[k, 2]
        for y in range(y0, y1 + 1):
            dy = np.float32(y) + np.float32(0.5) - ay
            for x in range(x0, x1 + 1):
                dx = np.float32(x) + np.float32(0.5) - ax
                wb = (dx * (cy - ay) - (cx - ax) * dy) * inverse
                wc = ((bx - ax) * dy - dx * (by - ay)) * inverse
                wa = np.float32(1) - wb - wc
                if wa < _EDGE or wb < _EDGE or wc < _EDGE:
                    continue
                z = wa * az + wb * bz + wc * cz
                if z < depth[y, x]:
                    depth[y, x] = z
                    face[y, x] = f
                    weights[y, x, 0] = wb
                    weights[y, x, 1] = wc


@numba.njit(cache=True, nogil=True, fastmath=True)
def light_vertices(normal, view_direction, lights, colors, shadows, hemisphere, ambient, shine, gloss, two_sided, out):  # type: ignore[no-untyped-def]
    """(V, 4) the light's red, green and blue, and a highlight, at every vertex.

    Args:
        normal: (V, 3).
        view_direction: (3,) from the head to the camera.
        lights: (L, 3) unit vectors towards the lights.
        colors: (L, 3) of the lights.
        shadows: (L, V) share of each light that arrives.
        hemisphere: how much more light comes from above than from below, in [0, 1].
        ambient: (3,).
        shine: size of highlights.
        gloss: exponent of highlights.
        two_sided: vertices from this one on are lit on both sides, as hair is.
    """
    for i in range(len(normal)):
        nx, ny, nz = normal[i, 0], normal[i, 1], normal[i, 2]
        sky = np.float32(1) + hemisphere * ny
        r, g, b = ambient[0] * sky, ambient[1] * sky, ambient[2] * sky
        high = np.float32(0)
        for k in range(len(lights)):
            facing = nx * lights[k, 0] + ny * lights[k, 1] + nz * lights[k, 2]
            if i >= two_sided:
                facing = np.float32(0.5) * facing + np.float32(0.5)
            if facing <= 0:
                continue
            share = facing * shadows[k, i]
            r += share * colors[k, 0]
            g += share * colors[k, 1]
            b += share * colors[k, 2]
            hx, hy, hz = (
                lights[k, 0] + view_direction[0],
                lights[k, 1] + view_direction[1],
                lights[k, 2] + view_direction[2],
            )
            half = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + np.float32(1e-9))
            if half > 0:
                high += shine * shadows[k, i] * half**gloss * colors[k, 1]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = r, g, b, high


@numba.njit(cache=True, nogil=True, fastmath=True)
def shade(  # type: ignore[no-untyped-def]
    face,
    weights,
    faces,
    head_faces,
    uvs,
    uv_faces,
    texture,
    extra_colors,
    light,
    shiny,
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
        head_faces: how many of them are the head's, which has a texture.
        uvs: (U, 2) texture coordinates of the head, v up.
        uv_faces: (head_faces, 3).
        texture: (S, S, 3) albedo.
        extra_colors: (V, 3) albedo of the extras' vertices.
        light: (V, 4) from `light_vertices`.
        shiny: (V,) share of the highlights.
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
                    if f < head_faces:
                        p, q, s = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
                        u = wa * uvs[p, 0] + wb * uvs[q, 0] + wc * uvs[s, 0]
                        v = wa * uvs[p, 1] + wb * uvs[q, 1] + wc * uvs[s, 1]
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
                    high = wa * light[i, 3] * shiny[i] + wb * light[j, 3] * shiny[j] + wc * light[k, 3] * shiny[k]
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
        behind = _FAR  # the nearest surface's neighbourhood: a slope of the surface within a pixel is no occlusion
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
def sample_points(picture, points, out):  # type: ignore[no-untyped-def]
    """(V, 3) colours of a picture (R, R, C) at points (V, 2 or more), px."""
    for i in range(len(points)):
        for c in range(3):
            out[i, c] = _bilinear(picture, points[i, 0], points[i, 1], c)


@numba.njit(cache=True, nogil=True, fastmath=True)
def lift(face, weights, faces, mirror, points, seen, photo, guess, mirrored, guessed, scale, color, known, cover):  # type: ignore[no-untyped-def]
    """What a photo says about each pixel of another view of the same head.

    Args:
        face: (scale H, scale W) triangles of the head that the other view's rays meet.
        weights: from `rasterize`.
        faces: (T, 3).
        mirror: (V,) the vertex on the other side.
        points: (V, 3) pixels of the vertices in the photo.
        seen: (V,) from `seen_in_photo`.
        photo: (R, R, 4) colours over any background, and the coverage.
        guess: (V, 3) colours for what it does not show.
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
                    r += guessed * (wa * guess[i, 0] + wb * guess[j, 0] + wc * guess[k, 0])
                    g += guessed * (wa * guess[i, 1] + wb * guess[j, 1] + wc * guess[k, 1])
                    b += guessed * (wa * guess[i, 2] + wb * guess[j, 2] + wc * guess[k, 2])
                    total += guessed
                    for side in range(2):
                        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                        if side == 1:
                            i, j, k = mirror[i], mirror[j], mirror[k]
                        confidence = wa * seen[i] + wb * seen[j] + wc * seen[k]
                        if confidence <= np.float32(0.01):
                            continue
                        px = wa * points[i, 0] + wb * points[j, 0] + wc * points[k, 0]
                        py = wa * points[i, 1] + wb * points[j, 1] + wc * points[k, 1]
                        confidence *= _bilinear(photo, px, py, 3) ** 4  # edges of the matte show the background
                        weight = confidence if side == 0 else mirrored * confidence
                        r += weight * _bilinear(photo, px, py, 0)
                        g += weight * _bilinear(photo, px, py, 1)
                        b += weight * _bilinear(photo, px, py, 2)
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
    """Sets pixels of `image` (H, W) whose centre lies inside a polygon (N, 2) to 1, the others to 0."""
    count = len(points)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            px, py = x + 0.5, y + 0.5
            inside = False
            for i in range(count):
                j = i + 1 if i + 1 < count else 0
                ax, ay, bx, by = points[i, 0], points[i, 1], points[j, 0], points[j, 1]
                if (ay > py) != (by > py) and px < (bx - ax) * (py - ay) / (by - ay) + ax:
                    inside = not inside
            image[y, x] = 1.0 if inside else 0.0


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
