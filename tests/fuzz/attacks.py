"""Files made on purpose to fill the memory, to take for ever, or to reach what is not theirs, by reader.

Each is small. What they claim, unpack to or lead to is not.
"""

from __future__ import annotations

from .attacks_on_avatars import gaussian_avatars, glbs, lams, pictures, tables
from .attacks_on_models import fits, mappings, pickles, states, tensors
from .attacks_on_motions import clips, csvs, jsons, lists, npzs, videos
from .packed import Files


def attacks(name: str) -> dict[str, Files]:
    """Attacks on a reader, by what they do."""
    made = {
        "picture": pictures,
        "lam": lams,
        "gaussian_avatars": gaussian_avatars,
        "splat_ply": tables,
        "live_link_csv": csvs,
        "motion_json": jsons,
        "motion_npz": npzs,
        "flame_mapping": mappings,
        "flame_model": pickles,
        "safetensors": tensors,
        "saved_state": states,
        "fit_folder": fits,
        "clip": clips,
        "batch_list": lists,
        "video": videos,
        "glb": glbs,
    }
    return made[name]() if name in made else {}
