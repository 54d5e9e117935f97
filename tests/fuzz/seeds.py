"""Valid files of every kind that is read, small ones, from which fuzzing begins."""

from __future__ import annotations

import csv
import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .packed import SINGLE, Files


def _one(*contents: bytes) -> list[Files]:
    return [{SINGLE: content} for content in contents]


def _folder(write: Callable[[Path], Any]) -> Files:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        return {p.relative_to(name).as_posix(): p.read_bytes() for p in sorted(Path(name).rglob("*")) if p.is_file()}


def _saved(write: Callable[[Any], Any]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def pictures() -> list[Files]:
    rng = np.random.default_rng(0)
    color = Image.fromarray(rng.integers(0, 255, (66, 70, 3), np.uint8).repeat(1, 0))
    grey, clear = color.convert("L"), color.convert("RGBA")
    clear.putalpha(grey)
    profile = _profile()
    exif = Image.Exif()
    exif[0x0112] = 6
    out = []
    for kind, picture, options in (
        ("JPEG", color, {"exif": exif, "icc_profile": profile}),
        ("JPEG", color.convert("CMYK"), {}),
        ("PNG", clear, {"icc_profile": profile}),
        ("PNG", color.quantize(16), {"transparency": 3}),
        ("PNG", Image.fromarray(rng.integers(0, 65535, (66, 66), np.uint16)), {}),
        ("WEBP", clear, {}),
        ("PNG", color, {"save_all": True, "append_images": [color.rotate(9)]}),
        ("TIFF", color, {"compression": "tiff_lzw", "exif": exif}),
        ("TIFF", Image.fromarray(rng.random((66, 66), np.float32)), {}),
        ("TIFF", color, {"save_all": True, "append_images": [color.rotate(9)]}),
        ("TIFF", color.convert("LAB"), {}),
        ("GIF", color.quantize(32), {"save_all": True, "append_images": [color.rotate(9).quantize(8)]}),
        ("BMP", color, {}),
        ("PPM", color, {}),
        ("TGA", clear, {"compression": "tga_rle"}),
        ("JPEG2000", color, {}),
        ("AVIF", color, {}),
        ("ICO", clear.resize((64, 64)), {"sizes": [(64, 64)]}),
        ("MPO", color, {"save_all": True, "append_images": [color.rotate(9)]}),
    ):
        if kind in Image.SAVE or (Image.init() and kind in Image.SAVE):
            out.append(_saved(lambda stream, k=kind, p=picture, o=options: p.save(stream, k, **o)))
    return _one(*out, _psd(np.asarray(color)))


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def _psd(pixels: np.ndarray) -> bytes:
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, *pixels.shape[:2], 8, 3)
    return head + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + pixels.transpose(2, 0, 1).tobytes()


@cache
def _avatar() -> Any:
    from tests.avatar_io.conftest import make_avatar

    return make_avatar(num_splats=24)


def glbs() -> list[Files]:
    from zero1toa.avatar_io import save_glb

    return [_renamed(_folder(lambda folder: save_glb(folder / "a.glb", _avatar())), "a.glb")]


def _renamed(files: Files, name: str) -> Files:
    return {SINGLE: files[name]}


def lams() -> list[Files]:
    from tests.avatar_io import foreign_files

    rng = np.random.default_rng(0)
    avatar = _avatar()
    count = len(avatar.vertices)
    parts = {
        "vertices": avatar.vertices, "faces": avatar.topology.faces, "names": list(_names()),
        "deltas": avatar.expression_deltas, "weights": avatar.skin_weights, "joints": avatar.joints,
        "offsets": rng.normal(0, 0.001, (count, 3)).astype(np.float32), "colors": rng.random((count, 3)),
        "order": rng.permutation(count),
    }  # fmt: skip
    return _one(foreign_files.zipped(foreign_files.lam_files(parts, rng)))


def _names() -> tuple[str, ...]:
    from zero1toa.heads import arkit

    return arkit.NAMES


def gaussian_avatars() -> list[Files]:
    from tests.avatar_io.foreign_files import gaussian_avatars as write

    return [_folder(lambda folder: write(folder, np.random.default_rng(0), 60))]


def splat_tables() -> list[Files]:
    from tests.avatar_io.foreign_files import GA_PROPERTIES, LAM_PROPERTIES, ply, splat_columns

    columns = splat_columns(12, np.random.default_rng(0)) | {"x": np.arange(12.0)}
    return _one(ply(columns, GA_PROPERTIES), ply(columns, LAM_PROPERTIES))


def _motion() -> Any:
    from zero1toa.motion import builtin

    return builtin("nod", 0.3)


def tables() -> list[Files]:
    from zero1toa.motion.live_link import write_live_link

    whole = _renamed(_folder(lambda folder: write_live_link(folder / "a.csv", _motion())), "a.csv")[SINGLE]
    rows = list(csv.reader(io.StringIO(whole.decode())))
    gaps = "\r\n".join(";".join(row if n % 3 else row[:2]) for n, row in enumerate(rows[1:]) if n != 4)
    turned = "\n".join(
        ",".join([*row[1:], row[0].replace(":00.", ".")]) for row in rows
    ).encode()  # fractions of seconds
    return _one(
        whole, turned, b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n"), f"{';'.join(rows[0])}\r\n{gaps}".encode()
    )


def jsons() -> list[Files]:
    motion = _motion()
    names, rows = list(_names()), np.round(motion.weights[:4], 3).tolist()
    turns = np.zeros((4, 3)).tolist()
    documents: list[Any] = [
        {
            "fps": 30,
            "names": names,
            "weights": rows,
            "head": turns,
            "neck": turns,
            "eyes": np.zeros((4, 2, 3)).tolist(),
        },
        {
            "names": names,
            "frames": [{"weights": row, "time": n / 30} for n, row in enumerate(rows)],
            "metadata": {"fps": 30},
        },
        {"exportFps": 30, "facsNames": names, "weightMat": rows},
        [dict(zip(names, row)) for row in rows],
    ]
    return _one(*(json.dumps(document).encode() for document in documents))


def motion_arrays() -> list[Files]:
    motion = _motion()
    ours = _renamed(_folder(lambda folder: motion.save(folder / "a.npz")), "a.npz")[SINGLE]
    flame = {
        n: np.zeros((4, w), np.float32)
        for n, w in (
            ("expr", 100),
            ("rotation", 3),
            ("neck_pose", 3),
            ("jaw_pose", 3),
            ("eyes_pose", 6),
            ("eyelids", 2),
        )
    }
    plain = {"weights": motion.weights[:3], "fps": np.float32(30), "names": np.array(_names())}
    columns = {name: motion.weights[:3, n] for n, name in enumerate(_names())}
    return _one(ours, *(_saved(lambda s, a=arrays: np.savez(s, **a)) for arrays in (flame, plain, columns)))


def mappings() -> list[Files]:
    matrix = np.zeros((50, 52), np.float32)
    return _one(_saved(lambda s: np.savez(s, mapping=matrix, bias=np.zeros(52))), _saved(lambda s: np.save(s, matrix)))


def pickles() -> list[Files]:
    from scipy import sparse
    from tests.flame_fixtures import sys as _tools_on_the_path  # noqa: F401

    from synthetic_flame import as_old_pickle

    rng = np.random.default_rng(0)
    small = {name: rng.random((4, 3)) for name in ("v_template", "shapedirs", "J_regressor")}
    newer = {
        **small,
        "f": np.zeros((2, 3), np.uint32),
        "c": sparse.csc_matrix(np.eye(3)),
        "n": np.float64(2),
        "t": "lbs",
    }
    small |= dict.fromkeys(("posedirs", "weights", "kintree_table"), rng.random((2, 3)))
    return _one(
        as_old_pickle({**small, "f": np.zeros((2, 3), np.uint32)}),
        *(pickle.dumps(newer, p) for p in (0, 2, 4, 5)),
        _saved(lambda s: np.savez(s, **small)),
    )


def gnm_models() -> list[Files]:
    from zero1toa.heads.gnm.file import _NEEDED

    texts = ("version", "variant", "identity_names", "expression_names", "joint_names", "vertex_group_names")
    arrays = {name: np.array("x") if name in texts else np.zeros((4, 3), np.float32) for name in _NEEDED}
    return _one(_saved(lambda s: np.savez(s, **arrays)), _saved(lambda s: np.savez_compressed(s, **arrays)))


def safetensors() -> list[Files]:
    import torch
    from safetensors.torch import save

    return _one(save({"a.weight": torch.ones(3, 2), "b": torch.zeros(4, dtype=torch.float16)}))


def torch_files() -> list[Files]:
    import torch

    state = {"a.weight": torch.ones(3, 2), "b": torch.zeros(4, dtype=torch.float16)}
    old = _saved(lambda s: torch.save(state, s, _use_new_zipfile_serialization=False))
    return _one(_saved(lambda s: torch.save(state, s)), old, _saved(lambda s: torch.save({"state_dict": state}, s)))


def states() -> list[Files]:
    import torch

    def write(folder: Path) -> None:
        torch.save({"step": 3, "adam": {"m": torch.ones(3)}, "clips": [], "fingerprint": "x"}, folder / "state.pt")

    return [_folder(write)]


def fits() -> list[Files]:
    from zero1toa.camera import Camera
    from zero1toa.portrait.portrait import ERRORS, Portrait

    rng = np.random.default_rng(0)
    picture = rng.random((24, 24, 3), np.float32)
    portrait = Portrait(
        picture,
        np.ones((24, 24), bool),
        picture[..., 0],
        picture,
        rng.random((478, 3)),
        rng.random((478, 2)),
        rng.random((478, 2)),
        rng.random(80),
        rng.random(52),
        rng.random((6, 3)),
        Camera.orbit(size=(24, 24)),
        "default",
        "demo",
        (),
        dict.fromkeys(ERRORS, 1.0),
    )
    return [_folder(portrait.save)]


def clips() -> list[Files]:
    import torch

    from zero1toa.priors import Drive, Video
    from zero1toa.priors.clip_files import write_clip
    from zero1toa.priors.subjects import photo_camera

    cameras = [photo_camera(yaw, size=16) for yaw in (0, 20)]
    alpha = torch.ones(2, 1, 16, 16)
    source = torch.Generator().manual_seed(0)
    drive = Drive(cameras, torch.rand(2, 52, generator=source), torch.rand(2, 6, 3, generator=source))
    clip = drive, Video(alpha.expand(-1, 3, -1, -1) / 2, alpha, alpha)
    arrays = {
        "frames": np.zeros((2, 16, 16, 3), np.uint8),
        "viewmats": np.stack([np.eye(4)] * 2),
        "intrinsics": np.eye(3),
    }
    return [_folder(lambda folder: write_clip(folder, *clip)), *_one(_saved(lambda s: np.savez(s, **arrays)))]


def lists() -> list[Files]:
    table = b"photo,name,preset,seed,iterations,force\na.jpg,A,fast,1,20,yes\n../b.jpg,../x,debug,0,,no\n"
    lines = b'{"photo": "a.jpg", "name": "n", "seed": 3}\n{"photo": "b.jpg"}\n'
    return [{"l.csv": table}, {"l.jsonl": lines}, {"l.txt": b"# photos\na.jpg\nsub/b.png\n~nobody/c.jpg\ndemo\n"}]


def manifests() -> list[Files]:
    row = {
        "name": "a",
        "photo": "a.jpg",
        "state": "done",
        "seconds": {"fit": 1.0},
        "warnings": [],
        "files": ["avatar.glb"],
        "options": {"preset": "fast", "seed": 0},
        "key": "k",
        "extras_key": "e",
        "bytes": {"avatar.glb": 3},
    }
    line = json.dumps(row).encode()
    return [
        {
            "manifest.jsonl": line + b"\n" + line.replace(b'"a"', b'"b"'),
            "avatars/a/row.json": line,
            "avatars/a/avatar.glb": b"glTF",
        }
    ]


def videos() -> list[Files]:
    from zero1toa.media import write_gif, write_mp4

    frames = [np.random.default_rng(n).random((64, 64, 3)) for n in range(3)]

    def write(folder: Path) -> None:
        write_mp4(folder / "a.mp4", frames)
        write_gif(folder / "a.gif", frames)
        _other_videos(folder, frames)

    return [{SINGLE: content} for content in _folder(write).values()]


def _other_videos(folder: Path, frames: list[np.ndarray]) -> None:
    import av

    for name, codec in (("a.avi", "mjpeg"), ("a.webm", "libvpx"), ("a.ts", "mpeg2video"), ("a.mkv", "ffv1")):
        if codec not in av.codecs_available:
            continue
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width = stream.height = 64
            stream.pix_fmt = {"mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            sound = (
                container.add_stream("aac" if name != "a.webm" else "libopus", rate=48000)
                if name in ("a.mkv", "a.webm")
                else None
            )
            for picture in frames:
                frame = av.VideoFrame.from_ndarray((picture * 255).astype(np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if sound is not None:
                block = av.AudioFrame.from_ndarray(np.zeros((2, 960), np.float32), format="fltp", layout="stereo")
                block.sample_rate = 48000
                try:
                    container.mux(sound.encode(block.reformat() if hasattr(block, "reformat") else block))
                    container.mux(sound.encode())
                except (av.FFmpegError, ValueError):
                    pass
