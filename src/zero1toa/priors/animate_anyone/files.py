"""Which files each model needs, where they come from, under which licence, and where they lie on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import MissingWeights

ENDINGS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
"""Of weight files, in the order in which they are looked for."""

HUB = "hub"
"""Given as folder: fetch the files from the Hugging Face hub."""

_OPENRAIL = "descends from Stable Diffusion 1.5, CreativeML OpenRAIL-M; read its page before use"


@dataclass(frozen=True)
class WeightFile:
    """A file, or a folder in the format of diffusers or transformers."""

    name: str
    """Without its ending; as in the published folder."""
    repository: str
    """On the Hugging Face hub."""
    licence: str
    gigabytes: float
    """Of its tensors in single precision, counted from the network's own shapes."""
    folder: bool = False
    subfolder: str = ""
    """Of the repository, where a folder is not all of it."""

    def find(self, base: Path) -> Path | None:
        """Where it lies in a folder."""
        path = base / self.name
        if self.folder:
            return path if (path / "config.json").is_file() else None
        return next((found for ending in ENDINGS if (found := path.with_name(path.name + ending)).is_file()), None)


_VAE = WeightFile("sd-vae-ft-mse", "stabilityai/sd-vae-ft-mse", "MIT by its page; check it", 0.33, folder=True)
_CLIP = WeightFile(
    "image_encoder", "lambdalabs/sd-image-variations-diffusers", _OPENRAIL, 1.22, folder=True, subfolder="image_encoder"
)

FILES: dict[str, tuple[WeightFile, ...]] = {
    "aniportrait": (
        WeightFile("reference_unet", "ZJYang/AniPortrait", _OPENRAIL, 3.44),
        WeightFile("denoising_unet", "ZJYang/AniPortrait", _OPENRAIL, 3.44),
        WeightFile("motion_module", "ZJYang/AniPortrait", _OPENRAIL, 1.82),
        WeightFile("pose_guider", "ZJYang/AniPortrait", _OPENRAIL, 0.67),
        _CLIP,
        _VAE,
    ),
    "follow-your-emoji": (
        WeightFile("referencenet", "YueMafighting/FollowYourEmoji", "none stated: ask the authors", 3.40),
        WeightFile("unet", "YueMafighting/FollowYourEmoji", "none stated: ask the authors", 5.26),
        WeightFile("lmk_guider", "YueMafighting/FollowYourEmoji", "none stated: ask the authors", 0.01),
        _CLIP,
        _VAE,
    ),
}
"""By model. The files of Stable Diffusion 1.5 itself are not needed: these hold all tensors of both UNets."""


def located(model: str, folder: str) -> dict[str, Path]:
    """Paths of all files of a model, by name.

    Args:
        model: one of `FILES`.
        folder: where they lie, or `HUB`.

    Raises:
        MissingWeights: some are not there; the message names them, their source, licence and size.
    """
    if folder == HUB:
        return {file.name: _fetched(file) for file in FILES[model]}
    base = Path(folder).expanduser()
    found = {file.name: file.find(base) for file in FILES[model]} if folder else {}
    missing = [file for file in FILES[model] if found.get(file.name) is None]
    if missing:
        raise MissingWeights(missing_message(model, folder, missing))
    return {name: path for name, path in found.items() if path is not None}


def missing_message(model: str, folder: str, missing: list[WeightFile]) -> str:
    """Names, sizes, sources and licences of what is missing, and what cures it."""
    where = f"in {folder}" if folder else "given"
    wanted = []
    for page in dict.fromkeys(_page(file) for file in missing):
        files = [file for file in missing if _page(file) == page]
        names = ", ".join(f"{_shown(file)} ({file.gigabytes:g} GB)" for file in files)
        wanted.append(f"{names} from huggingface.co/{page} (licence: {files[0].licence})")
    return (
        f"The weights of {model} are not {where}: put {'; '.join(wanted)} into one folder and say --weights FOLDER, or"
        f" say --weights {HUB} to have them fetched (docs/diffusion.md)."
    )


def summary(model: str) -> str:
    """What the model needs, for `zero1toa doctor`."""
    files = FILES[model]
    sources = list(dict.fromkeys(f.repository for f in files))
    licences = list(dict.fromkeys(f.licence for f in files if f.repository == files[0].repository))
    return (
        f"create --prior {model} --weights FOLDER needs {', '.join(_shown(f) for f in files)} ("
        f"{sum(f.gigabytes for f in files):.1f} GB) from huggingface.co: {', '.join(sources)}; licence of its own"
        f" weights: {licences[0]}; see docs/diffusion.md"
    )


def _shown(file: WeightFile) -> str:
    return f"{file.name}/" if file.folder else f"{file.name}{ENDINGS[1]}"


def _page(file: WeightFile) -> str:
    return f"{file.repository}/tree/main/{file.subfolder}" if file.subfolder else file.repository


def _fetched(file: WeightFile) -> Path:
    """Downloads a file into the hub's own cache."""
    from ..extras import huggingface_hub

    hub = huggingface_hub()
    patterns = [f"{file.subfolder}/*"] if file.subfolder else None
    if not file.folder:
        patterns = [f"*{file.name}{ending}" for ending in ENDINGS]
    try:
        folder = Path(hub.snapshot_download(file.repository, allow_patterns=patterns))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise MissingWeights(
            f"{file.repository} could not be fetched from the Hugging Face hub ({error}); put the files into a folder"
            " and say --weights FOLDER (docs/diffusion.md)."
        ) from error
    if file.folder:
        return folder / file.subfolder
    found = sorted(path for ending in ENDINGS for path in folder.rglob(f"{file.name}{ending}"))
    if not found:
        raise MissingWeights(f"{file.repository} on the Hugging Face hub has no file {_shown(file)}.")
    return found[0]
