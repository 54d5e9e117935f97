"""The 52 ARKit blendshape names: the one language in which every head is driven.

Names and order are those of Apple's `ARFaceAnchor.BlendShapeLocation`, in the order Live Link Face writes them.
Left and right are the subject's own; in our world axes the subject's left is +x.
"""

from __future__ import annotations

NAMES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawRight", "jawLeft", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}


def mirrored(name: str) -> str:
    """The name of the same movement on the other side; a name without a side is its own mirror."""
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


MIRROR: tuple[int, ...] = tuple(INDEX[mirrored(name)] for name in NAMES)

GAZE_DEGREES = {"In": 30.0, "Out": 30.0, "Up": 20.0, "Down": 25.0}
"""How far the eyeball turns at weight 1 of eyeLookIn and so on, degrees: the comfortable range of human gaze (the
shapes that our head was made from turn it by only 10 to 15)."""
