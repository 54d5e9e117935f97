"""The command `zero1toa evaluate prior`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .config import DiffusionConfig
from .errors import InputError
from .progress import Progress

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="PATH")]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]


def prior(
    output: Output = Path("prior_gates"),
    *,
    weights: str = "",
    random_weights: bool = False,
    persons: int = 12,
    steps: int | None = None,
    guidance_scale: float | None = None,
    temperature: float | None = None,
    inversion_condition: Literal["full", "null"] = "full",
    strength: float = 1.0,
    mode: Literal["ddim_inversion", "sdedit", "generate"] = "ddim_inversion",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
    quiet: Quiet = False,
) -> None:
    """Measure the mini prior on held-out made-up persons, against the gates that its weights must pass.

    Samples are compared with the truth, with a copy of the photo, with the embedded reprojection prior, with samples
    under landmarks of a wrong expression, and with samples without temporal attention; clips with three kinds of faults
    are regenerated. Writes the table (Markdown, JSON) and a sheet of pictures.

    Examples: zero1toa evaluate prior --weights prior/mini.safetensors | zero1toa evaluate prior --weights
    prior/mini.safetensors --persons 2 --steps 4

    Args:
        output: Folder for the results.
        weights: The file that train-prior wrote; by default the packaged weights.
        random_weights: Measure a network that never learned anything: what the condition alone is worth.
        persons: Held-out persons.
        steps: DDIM steps; by default the prior's own.
        guidance_scale: Of classifier-free guidance; by default the prior's own.
        temperature: Factor on the deviation that the network answers; by default the prior's own.
        inversion_condition: What the way up sees in regeneration, as create's --diffusion.inversion-condition.
        strength: Of regeneration.
        mode: Of regeneration.
        device: Where the network runs.
        seed: Of the noise.
        quiet: Print nothing but warnings and errors.
    """
    from . import files
    from .evaluate.prior_gates import GatePlan, measure_gates
    from .evaluate.prior_report import markdown, write_report
    from .priors.diffusion import network_device
    from .priors.mini.prior import load_mini
    from .priors.mini.weights import weights_path

    if persons < 1 or not 0 < strength <= 1 or (steps is not None and steps < 1):
        raise InputError("Persons and steps are at least 1, and the strength lies in (0, 1].")
    progress = Progress(quiet)
    files.check_output_directory(output)
    config = DiffusionConfig(
        weights=weights,
        random_weights=random_weights,
        steps=steps,
        guidance_scale=guidance_scale,
        temperature=temperature,
        inversion_condition=inversion_condition,
    )
    measured = load_mini(config, network_device(device), seed)
    result = measure_gates(measured, GatePlan(persons, seed, strength, mode), progress)
    about: dict[str, object] = {"weights": "random"}
    if not random_weights:
        path = weights_path(weights)
        about = {"weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    about |= {
        "persons": persons,
        "steps": measured.steps,
        "guidance": measured.guidance,
        "temperature": measured.temperature,
    }
    about |= {"strength": strength, "mode": mode, "inversion": inversion_condition, "seed": seed}
    with files.output_directory(output) as folder:
        names = [path.name for path in write_report(folder, result, about)]
    progress.say(markdown(result, about))
    progress.say(f"Wrote {output}/: {', '.join(names)}")
