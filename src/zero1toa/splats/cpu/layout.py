"""Constants that the kernels share: the rules of 3D Gaussian splatting, and what stands in which column."""

from __future__ import annotations

import math

import numpy as np

# The rules of "3D Gaussian Splatting" (Kerbl et al. 2023, diff-gaussian-rasterization).
DILATION = 0.3
"""Square pixels added to both variances on the image plane, so that nothing is thinner than about a pixel."""
NEAR = 0.01
"""Metres along the view axis; what lies nearer is not drawn (gsplat's default)."""
ALPHA_MIN = np.float32(1 / 255)
"""A Gaussian is left out at pixels where its alpha is below this."""
ALPHA_MAX = np.float32(0.99)
"""Alpha is limited to this, and then carries no gradient."""
TRANSMITTANCE_MIN = np.float32(1e-4)
"""A pixel is finished before the Gaussian that would bring its transmittance to this or below."""
LARGEST = 1e12
"""Pixels and metres: what is larger than this, or farther away, is not drawn. It keeps float32 from running over."""
MARGIN = 0.3
"""Share of half the field of view outside the picture beyond which the projection's slope no longer grows."""

LOG2_E = math.log2(math.e)
LN_2 = math.log(2)
LOG2_ALPHA_MIN = -math.log2(255)

TILE = 16
"""Pixels on the side of a tile."""
TILE_SHIFT = 4
TILE_PIXELS = TILE * TILE

# A pair is the number of a Gaussian and two bits that say which halves of the tile it touches. The pixels of a tile are
# held half by half, each row by row, so that a narrow Gaussian costs eight pixels in a row and not sixteen.
HALF = TILE // 2
HALF_SHIFT = 3
HALF_PIXELS = TILE_PIXELS // 2
LEFT_HALF, RIGHT_HALF = 1 << 29, 1 << 30
GAUSSIAN_BITS = LEFT_HALF - 1

# Columns of a record: what one projected Gaussian needs, 64 bytes.
#
# With d = pixel - (X, Y), the exponent of 2 in its alpha is
#     LOG2_OPACITY - (WHITEN_XX dx + WHITEN_XY dy)^2 - (WHITEN_YY dy)^2.
# A sum of squares loses no digits where a thin, slanted Gaussian would make a quadratic form cancel.
X, Y = 0, 1  # centre, whole pixels
WHITEN_XX, WHITEN_XY, WHITEN_YY = 2, 3, 4
LOG2_OPACITY = 5
RED, GREEN, BLUE = 6, 7, 8
DEPTH = 9  # metres along the view axis
REACH = 10  # the sum of squares at which alpha falls to ALPHA_MIN; negative: nothing of it is seen
FIRST_ROW, LAST_ROW = 11, 12  # pixel rows inside the picture with an alpha of at least ALPHA_MIN
EXTREME_DY = 13  # dy at the rightmost point of the outline; at the leftmost it is the negative
X_PART, Y_PART = 14, 15  # the rest of the centre: near a tile, (X - left) + X_PART has all digits that count
RECORD = 16

# Columns of what flows back to one Gaussian from one tile: sums over its pixels. w is the weight of the Gaussian in the
# pixel, v the derivative of the loss to the natural logarithm of its alpha, a = WHITEN_XX dx + WHITEN_XY dy and
# b = WHITEN_YY dy.
SUM_W_RED, SUM_W_GREEN, SUM_W_BLUE, SUM_W_DEPTH = 0, 1, 2, 3  # w times the gradient of the pixel
SUM_V, SUM_VA, SUM_VB, SUM_VAA, SUM_VAB, SUM_VBB = 4, 5, 6, 7, 8, 9
GRADIENT = 12
