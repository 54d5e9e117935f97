"""Which of MediaPipe's 478 face landmarks lie where: the index groups that fitting, gates and measures share.

Facts of MediaPipe's face mesh topology (`mediapipe.solutions.face_mesh_connections`, Apache-2.0). Left and right are
the subject's own.
"""

from __future__ import annotations

NUM_LANDMARKS = 478

LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LIPS = LIPS_OUTER + LIPS_INNER

EYE_LEFT = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
EYE_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYES = EYE_LEFT + EYE_RIGHT

BROW_LEFT = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
BROW_RIGHT = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
BROWS = BROW_LEFT + BROW_RIGHT

IRIS_RIGHT = (468, 469, 470, 471, 472)  # the centre first
IRIS_LEFT = (473, 474, 475, 476, 477)
IRISES = IRIS_RIGHT + IRIS_LEFT

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face contour, in order, from the top of the forehead over the subject's left cheek to the chin and back."""
