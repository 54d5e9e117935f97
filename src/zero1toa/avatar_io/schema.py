"""The container, version 1: what a program needs to know to play an avatar file.

Scene. Nodes 0 to 5 are the joints root, neck, head, jaw, eyeLeft, eyeRight; then `avatar`, the skinned mesh 0; then
`splats`, mesh 1. Metres, y up, the face to +z, the subject's left to +x, at rest without expression.

Head mesh. A vertex on a texture seam stands once per texture coordinate; the first V rows are the vertices of the head
model in order.
    morph targets          the 52 ARKit names (`extras.targetNames`). An eyeLook target moves the eyeball along a chord.
    COLOR_0                mean colour of the splats near by, linear light
    _VERTEX, _UV           row of the head model's vertices and texture coordinates
    _PART, _MIRROR         index into `parts`; the vertex at the mirrored place
    _REGION_LIPS ...       membership in each of `regions`, 0 to 1

Splats. KHR_gaussian_splatting of degree 0, as the head shows them at rest, and
    _FACE                  the triangle of mesh 0 that the splat follows
A splat's place in its triangle's frame (`splats.rig.triangle_frames`) is not stored: it follows from the rest pose.

extras.zero1toa.
    version, kernel        of the container; how opacities were trained (`data.KERNELS`)
    headModel, provenance  name of the head model; where the avatar comes from, always with `synthetic: true`
    parts, facePartRuns    names; pairs [part, number of triangles] that follow each other
    regions                names, in order
    gaze                   per eyeLook weight the joint it turns and the rotation vector in radians at weight 1
    landmarks              the 478 MediaPipe points: triangle of mesh 0, barycentric coordinates, spread in metres
    photo                  the fit: identity, expression, pose (rotation vectors), camera (OpenCV axes, pixels)

To play the splats: add the morph targets (mouthClose counts only up to jawOpen; vertices that follow an eye joint leave
the eyeLook targets out, their joint turns by `gaze` instead), skin, and carry each splat with its triangle's frame.
"""

from __future__ import annotations

VERSION = 1
"""Version of the container. A reader refuses files of a higher one."""

EXTRAS = "zero1toa"
SPLATS = "KHR_gaussian_splatting"
ROTATION, SCALE, OPACITY = f"{SPLATS}:ROTATION", f"{SPLATS}:SCALE", f"{SPLATS}:OPACITY"
COLOR = f"{SPLATS}:SH_DEGREE_0_COEF_0"

SH_C0 = 0.28209479177387814
"""Spherical harmonic of degree 0: colour = 0.5 + SH_C0 * coefficient (KHR_gaussian_splatting, "Lighting")."""

OPACITY_MARGIN = 2.0**-24
"""Opacities are kept this far from 0 and 1, half a float32 step below 1, so that their logit is finite."""

SMALLEST_SCALE = 1e-9
"""Standard deviations are stored as at least a nanometre, so that their logarithm is finite."""

VERTEX, UV, PART, MIRROR, FACE = "_VERTEX", "_UV", "_PART", "_MIRROR", "_FACE"


def region_attribute(name: str) -> str:
    """The attribute that holds a region, for example `_REGION_LIPS`."""
    return f"_REGION_{name.upper()}"
