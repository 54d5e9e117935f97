"""Wan-Animate (Wan 2.2, 14 B) through diffusers' own pipeline, driven by the avatar's render.

The pipeline takes a picture of the person, a video of the body and a video of the face. Both videos are the render
itself: the whole of it, and a square around its face. In training the body video is a drawn skeleton; a head has hardly
any, and how the model answers to a picture there could not be tried without its weights.

Regeneration starts from the render with noise (SDEdit), since the pipeline offers no way up. "ddim_inversion" is
answered in the same way.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..config import DiffusionConfig
from ..errors import AssetError, MissingWeights
from ..media import to_uint8
from .animate_anyone.condition import reference_picture
from .animate_anyone.files import HUB
from .animate_anyone.networks import fill
from .animate_anyone.precision import chosen_dtype
from .extras import diffusers, transformers
from .landmarks import project_landmarks
from .pixels import composed, resized_frames
from .protocol import Drive, Mode, Reference, Video
from .reprojection import head_texture_video

REPOSITORY = "Wan-AI/Wan2.2-Animate-14B-Diffusers"
"""On the Hugging Face hub; Apache-2.0 by its page."""

NEEDS = (
    f"the folder of {REPOSITORY} from huggingface.co (some 70 GB with its text encoder, estimated; Apache-2.0 by its"
    " page) and a GPU of 24 to 80 GB"
)

PROMPT = "A person is looking at the camera and talking."
"""Ours. The published pipeline describes the motion in as few words."""

_SIZE = 512  # px of a side; the model is trained at 720p, and heads are square here
_STEPS = 20  # the pipeline's default
_SHIFT = 5.0  # of the flow's noise levels (Wan's inference code), where the model's own scheduler does not say
_FACE_MARGIN = 1.4  # side of the face's square over the landmarks' extent
_TINY_SIZE = 32  # px of the random model's pictures


@dataclass(frozen=True, eq=False)
class WanState:
    """A person's picture, and what the calls' noise is drawn from."""

    reference: Reference
    generator: torch.Generator
    picture: Image.Image


class WanAnimate:
    """`VideoPrior` of Wan-Animate.

    Args:
        pipeline: diffusers' `WanAnimatePipeline`.
        config: steps, guidance and background; the other numbers are the AnimateAnyone family's.
        size: px of its pictures, a multiple of 16.
        random: whether its weights are.
        text: (1, L, C) embedded prompt, for a pipeline without a text encoder.
    """

    invents = True

    def __init__(
        self,
        pipeline: Any,
        config: DiffusionConfig,
        size: int = _SIZE,
        *,
        random: bool = False,
        text: Tensor | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.config = config
        self.size = size
        self.name = "wan-animate (random weights)" if random else "wan-animate"
        self._text = text
        self._scheduler = pipeline.scheduler
        pipeline.set_progress_bar_config(disable=True)

    def prepare(self, reference: Reference, generator: torch.Generator) -> WanState:
        picture = reference_picture(reference, self.config.background).resize((self.size, self.size))
        return WanState(reference, generator, picture)

    def generate(self, state: WanState, drive: Drive) -> Video:
        """A clip from noise, driven by the photo's texture on the posed head, whose coverage it keeps."""
        reference = state.reference
        shown = head_texture_video(reference.head, reference.texture, drive.checked())
        return self._run(state, drive, shown, None)

    def regenerate(self, state: WanState, drive: Drive, video: Video, strength: float, mode: Mode) -> Video:
        """The render with noise of `strength` of the steps, and back."""
        if mode == "generate":
            return self.generate(state, drive)
        if round(strength * self._steps) == 0:
            return video
        return self._run(state, drive.checked(), video, strength)

    @property
    def _steps(self) -> int:
        return _STEPS if self.config.steps is None else self.config.steps

    def _run(self, state: WanState, drive: Drive, shown: Video, strength: float | None) -> Video:
        frames = resized_frames(shown.over(self.config.background), self.size)
        count = len(frames)
        stride = self.pipeline.vae_scale_factor_temporal
        whole = -(-(count - 1) // stride) * stride + 1 if count > 1 else stride + 1
        pictures = [Image.fromarray(to_uint8(frame.permute(1, 2, 0).numpy())) for frame in frames]
        faces = [picture.crop(box) for picture, box in zip(pictures, self._face_boxes(state, drive))]
        noise_source = torch.Generator().manual_seed(int(torch.randint(2**31, (1,), generator=state.generator)))
        latents = None
        self.pipeline.scheduler = self._scheduler
        if strength is not None:
            scheduler = partial_flow(strength, float(self._scheduler.config.get("flow_shift", _SHIFT)))
            scheduler.set_timesteps(self._steps)
            latents = self._noised(state.picture, _lengthened(frames, whole), scheduler.sigmas[0].item(), noise_source)
            self.pipeline.scheduler = scheduler
        text = {"prompt": PROMPT} if self._text is None else {"prompt_embeds": self._text}
        with _quiet():
            answer = self.pipeline(
                image=state.picture,
                pose_video=_lengthened(pictures, whole),
                face_video=_lengthened(faces, whole),
                height=self.size,
                width=self.size,
                segment_frame_length=whole,
                num_inference_steps=self._steps,
                guidance_scale=1.0 if self.config.guidance_scale is None else self.config.guidance_scale,
                generator=noise_source,
                latents=latents,
                output_type="pt",
                **text,
            )
        return composed(answer.frames[0][:count].float().cpu(), shown, self.config.background)

    @torch.no_grad()
    def _noised(self, picture: Image.Image, frames: Tensor, sigma: float, source: torch.Generator) -> Tensor:
        """(1, C, 1 + T, h, w): z_t = (1 - sigma) z + sigma noise. The first latent frame is the reference's, as the
        pipeline has it."""
        vae = self.pipeline.vae
        still = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
        parts = [pixels.transpose(0, 1)[None] * 2 - 1 for pixels in (still, frames)]
        coded = [vae.encode(part.to(vae.device, vae.dtype)).latent_dist.mode().float().cpu() for part in parts]
        mean, deviation = (
            torch.tensor(values).reshape(1, -1, 1, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        clean = (torch.cat(coded, 2) - mean) / deviation
        return (1 - sigma) * clean + sigma * torch.randn(clean.shape, generator=source)

    def _face_boxes(self, state: WanState, drive: Drive) -> list[tuple[int, int, int, int]]:
        head = state.reference.head
        with torch.no_grad():
            posed = head.pose(drive.expressions, drive.poses).numpy()
        scale = self.size / drive.cameras[0].width
        return [face_box(points[:, :2] * scale) for points in project_landmarks(posed, head.topology, drive.cameras)]


def face_box(points: NDArray[np.floating]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a square around landmarks (478, 2), px."""
    low, high = points.min(0), points.max(0)
    center, half = (low + high) / 2, max((high - low).max() * _FACE_MARGIN / 2, 1.0)
    left, top = np.floor(center - half).astype(int)
    side = int(np.ceil(2 * half))
    return int(left), int(top), int(left) + side, int(top) + side


def partial_flow(strength: float, shift: float) -> Any:
    """A flow-matching Euler scheduler that walks only the last `strength` of its steps."""
    base: Any = diffusers().FlowMatchEulerDiscreteScheduler

    class PartialFlow(base):
        def set_timesteps(self, num_inference_steps: int, device: Any = None, **more: Any) -> None:
            super().set_timesteps(num_inference_steps, device, **more)
            left_out = num_inference_steps - round(strength * num_inference_steps)
            for name in ("timesteps", "sigmas"):
                setattr(self, name, getattr(self, name)[left_out:])

    return PartialFlow(shift=shift)


def check_folder(folder: str) -> None:
    """Looks whether the model is there.

    Raises:
        MissingWeights: it is not; the message says what is needed.
    """
    if not (Path(folder).expanduser() / "model_index.json").is_file():
        where = f"in {folder}" if folder else "given"
        raise MissingWeights(
            f"The weights of wan-animate are not {where}: it needs {NEEDS}; say --weights FOLDER, or --weights {HUB} to"
            " have them fetched (docs/diffusion.md)."
        )


def load_wan_animate(config: DiffusionConfig, device: torch.device, seed: int) -> WanAnimate:
    """The prior from the user's folder, from the hub, or tiny with random weights.

    Raises:
        MissingWeights: there is no such folder; the message says what is needed.
        AssetError: it cannot be read.
    """
    if config.random_weights:
        torch_state = torch.Generator().manual_seed(seed)
        text = torch.randn(1, 16, 32, generator=torch_state)
        return WanAnimate(random_pipeline(seed), config, _TINY_SIZE, random=True, text=text)
    if config.weights != HUB:
        check_folder(config.weights)
    source = REPOSITORY if config.weights == HUB else str(Path(config.weights).expanduser())
    try:
        pipeline = diffusers().WanAnimatePipeline.from_pretrained(
            source, torch_dtype=chosen_dtype(config.dtype, device)
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise AssetError(f"Wan-Animate cannot be read from {source}: {str(error).splitlines()[0][:200]}") from error
    if device.type == "cuda":
        pipeline.enable_model_cpu_offload()  # one of its networks on the card at a time
    return WanAnimate(pipeline, config)


def random_pipeline(seed: int) -> Any:
    """A pipeline of the same classes whose networks a CPU runs in a second."""
    library, clip = diffusers(), transformers()
    vae = library.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    transformer = library.WanAnimateTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=36, latent_channels=16,
        out_channels=16, text_dim=32, freq_dim=256, ffn_dim=32, num_layers=2, cross_attn_norm=True,
        qk_norm="rms_norm_across_heads", image_dim=4, rope_max_seq_len=32,
        motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16}, motion_encoder_size=16, motion_style_dim=8,
        motion_dim=4, motion_encoder_dim=16, face_encoder_hidden_dim=16, face_encoder_num_heads=2,
        inject_face_latents_blocks=2,
    )  # fmt: skip
    encoder = clip.CLIPVisionModelWithProjection(
        clip.CLIPVisionConfig(
            hidden_size=4, projection_dim=4, num_hidden_layers=2, num_attention_heads=2, image_size=4,
            intermediate_size=16, patch_size=1,
        )
    )  # fmt: skip
    for number, part in enumerate((vae, transformer, encoder)):
        fill(part, seed + number)
        part.eval().requires_grad_(False)
    return library.WanAnimatePipeline(
        tokenizer=None,
        text_encoder=None,
        vae=vae,
        scheduler=library.FlowMatchEulerDiscreteScheduler(shift=_SHIFT),
        image_processor=_clip_processor()(crop_size=4, size=4),
        image_encoder=encoder,
        transformer=transformer,
    )


def _clip_processor() -> Any:
    """The one that needs no torchvision, by the name that this version of transformers gives it."""
    library = transformers()
    return getattr(library, "CLIPImageProcessorPil", None) or library.CLIPImageProcessor


def _lengthened(frames: Any, count: int) -> Any:
    """A list or a tensor of frames with the last one repeated up to `count`."""
    more = count - len(frames)
    if isinstance(frames, Tensor):
        return torch.cat([frames, frames[-1:].expand(more, -1, -1, -1)])
    return [*frames, *[frames[-1]] * more]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the pipeline's own progress bar and its warnings about sizes, which are meant."""
    logger = logging.getLogger("diffusers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
