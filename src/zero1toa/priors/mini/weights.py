"""The network's file: safetensors with the network's shape and the recipe of its training in the header.

The format is read and written here, since it is a header and numbers: the prior then needs no extra package.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import AssetError, InputError, MissingWeights
from ...files import write_whole
from .network import Network, NetworkConfig

FORMAT = 1
"""Of the header; raised when its entries change their meaning."""

PACKAGED = Path(__file__).parent / "assets" / "mini.safetensors"
"""Weights that come with the package, if any passed the gates."""

_DTYPES = {"F16": torch.float16, "F32": torch.float32, "BF16": torch.bfloat16}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MOST_HEADER = 10_000_000  # bytes; a larger header is no header


def save_network(path: Path, network: Network, recipe: dict[str, Any], dtype: torch.dtype = torch.float16) -> str:
    """Writes a network whole or not at all, and returns the SHA-256 of the file.

    Args:
        path: a .safetensors file.
        network: what is written.
        recipe: how it was trained, JSON values.
        dtype: of the numbers in the file.

    Raises:
        OutputError: the place cannot be written to.
    """
    about = {"format": FORMAT, "network": network.config.as_dict(), "recipe": recipe}
    header: dict[str, Any] = {"__metadata__": {"zero1toa_mini": json.dumps(about, sort_keys=True)}}
    parts: list[bytes] = []
    start = 0
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().to(dtype).contiguous()
        raw = values.view(torch.int16 if values.element_size() == 2 else torch.int32).numpy().tobytes()
        header[name] = {
            "dtype": _NAMES[dtype],
            "shape": list(values.shape),
            "data_offsets": [start, start + len(raw)],
        }
        parts.append(raw)
        start += len(raw)
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    content = struct.pack("<Q", len(told)) + told + b"".join(parts)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def load_network(path: Path) -> tuple[Network, dict[str, Any]]:
    """A network in single precision, and the recipe of its training.

    Raises:
        MissingWeights: there is no such file.
        AssetError: it is not a file of such a network.
    """
    if not path.is_file():
        raise MissingWeights(f"There are no weights at {path}: give the .safetensors file that train-prior wrote.")
    try:
        content = path.read_bytes()
        about, tensors = _parse(content)
        known = {field.name for field in fields(NetworkConfig)}
        shape: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in about["network"].items() if k in known
        }
        network = Network(NetworkConfig(**shape))
        network.load_state_dict(tensors)
    except (ValueError, KeyError, TypeError, RuntimeError, struct.error) as error:
        raise AssetError(f"{path} holds no weights of the mini prior ({str(error).splitlines()[0][:120]}).") from error
    return network.to(memory_format=torch.channels_last).eval(), about["recipe"]  # type: ignore[call-overload]


def weights_path(option: str) -> Path:
    """The file that an option names, or the packaged one.

    Raises:
        MissingWeights: there are none; the message says how to get some.
        InputError: the option names a folder or another kind of file.
    """
    if option:
        path = Path(option).expanduser()
        if path.is_dir():
            path = path / "mini.safetensors"
        elif path.suffix != ".safetensors":
            raise InputError(f"Weights of the mini prior are a .safetensors file; {option} is not.")
        if not path.is_file():
            raise MissingWeights(f"There are no weights at {path}: give the .safetensors file that train-prior wrote.")
        return path
    if not PACKAGED.is_file():
        raise MissingWeights(
            "The mini prior comes without weights, since none has passed its gates yet: train some with "
            "'zero1toa train-prior -o prior' and give --weights prior/mini.safetensors."
        )
    return PACKAGED


def _parse(content: bytes) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(_MOST_HEADER, len(content)):
        raise ValueError("the header is longer than the file")
    header = json.loads(content[8 : 8 + length])
    about = json.loads(header.pop("__metadata__")["zero1toa_mini"])
    if about["format"] != FORMAT:
        raise ValueError(f"the file has format {about['format']}, not {FORMAT}")
    body = content[8 + length :]
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        dtype = _DTYPES[entry["dtype"]]
        raw = np.frombuffer(body[first:last], np.int32 if dtype == torch.float32 else np.int16)
        tensors[name] = torch.from_numpy(raw.copy()).view(dtype).reshape(entry["shape"]).float()
    return about, tensors
