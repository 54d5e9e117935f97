"""Files that nobody vouches for: loading gives an avatar or an InputError, nothing else, and takes little memory."""

from __future__ import annotations

import copy
import json
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zero1toa.avatar_io import AvatarData, load_glb, save_glb
from zero1toa.errors import InputError

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
STRANGE = [None, True, -1, 0, 1, 7, 0.5, 1e30, -1e308, 2**31, 2**63, 10**400, "", "x", [], {}, [[]], [None], {"a": 1}]
NOT_READ = {"NORMAL", "COLOR_0"}  # these are for other programs
MEMORY = 32 << 20  # bytes that a damaged copy of the small test file, which has 0.1 MB, may take at most


def pack(document: Any, binary: bytes) -> bytes:
    """A GLB with correct lengths around any JSON."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def unpack(content: bytes) -> tuple[Any, bytes]:
    length = struct.unpack_from("<I", content, 12)[0]
    return json.loads(content[20 : 20 + length]), content[28 + length :]


@pytest.fixture(scope="module")
def content(avatar: AvatarData, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("glb") / "avatar.glb"
    save_glb(path, avatar)
    return path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "broken.glb"


def load(place: Path, content: bytes) -> str:
    """The message of the InputError, or "" when loading went well."""
    place.write_bytes(content)
    message = ""
    try:
        avatar = load_glb(place)
    except InputError as error:
        message = str(error)
    if not message:
        for name in ("vertices", "expression_deltas", "skin_weights", "means", "quats", "log_scales", "opacity_logits"):
            assert np.isfinite(getattr(avatar, name)).all()
    else:
        assert str(place) in message
        assert message.endswith(".")
        assert "\n" not in message
    return message


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a JSON document; of a long list of numbers only the first."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if isinstance(node, list) and len(node) > 8 and not isinstance(node[0], (dict, list)):
        children = [(0, node[0])]
    return [path] + [found for key, child in children for found in places(child, (*path, key))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    if not path:
        return value
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return document


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_glb(tmp_path / "nothing.glb")
    with pytest.raises(InputError, match="folder"):
        load_glb(tmp_path)
    with pytest.raises(InputError):
        load_glb(tmp_path / ("a" * 5000))


@pytest.mark.parametrize("size", [0, 1, 3, 4, 11, 12, 19, 20, 21, 5000, -1, -4, -1000])
def test_cut_off(content: bytes, place: Path, size: int) -> None:
    assert load(place, content[:size])


@FUZZ
@given(share=st.floats(0, 1, exclude_max=True))
def test_cut_off_anywhere(content: bytes, place: Path, share: float) -> None:
    assert load(place, content[: int(share * len(content))])


def test_other_files(place: Path) -> None:
    assert "not a GLB" in load(place, b"\x89PNG\r\n\x1a\n" + bytes(1000))
    assert "version 1" in load(place, struct.pack("<4sII", b"glTF", 1, 20) + bytes(8))
    assert "no avatar" in load(place, pack({"asset": {"version": "2.0"}}, b""))
    assert "no avatar" in load(place, pack({"asset": {"version": "2.0"}, "extras": {"other": {}}}, b""))
    assert "JSON" in load(place, pack(b"{", b""))
    assert "JSON" in load(place, pack(b"\xff\xfe", b""))
    assert "JSON" in load(place, pack(b'{"a": NaN}', b""))
    assert "JSON" in load(place, pack(b"[" * 100_000, b""))
    assert load(place, pack(b"[1]", b""))


def test_newer_version(content: bytes, place: Path) -> None:
    document, binary = unpack(content)
    document["extras"]["zero1toa"]["version"] = 2
    assert "update zero1toa" in load(place, pack(document, binary))


def test_repacked_file_loads(content: bytes, place: Path) -> None:
    assert load(place, pack(*unpack(content))) == ""


@FUZZ
@given(data=st.data())
def test_flipped_bytes(content: bytes, place: Path, data: st.DataObject) -> None:
    header = 20 + struct.unpack_from("<I", content, 12)[0]  # header and JSON
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        low, high = data.draw(st.sampled_from([(0, 28), (12, header), (header, len(content))]))
        changed[data.draw(st.integers(low, high - 1))] = data.draw(st.integers(0, 255))
    load(place, bytes(changed))


@FUZZ
@given(data=st.data())
def test_strange_values_in_the_description(content: bytes, place: Path, data: st.DataObject) -> None:
    document, binary = unpack(content)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)))
        document = replaced(document, path, data.draw(st.sampled_from(STRANGE)))
    tracemalloc.start()
    load(place, pack(document, binary))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY


@FUZZ
@given(data=st.data())
def test_missing_entries_of_the_description(content: bytes, place: Path, data: st.DataObject) -> None:
    document, binary = unpack(content)
    path = data.draw(st.sampled_from([p for p in places(document) if p]))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    load(place, pack(document, binary))


@pytest.mark.parametrize("lie", [10, 1 << 24, 1 << 60])
def test_lying_accessors(content: bytes, place: Path, lie: int) -> None:
    document, binary = unpack(content)
    head, splats = (document["meshes"][mesh]["primitives"][0] for mesh in (0, 1))
    attributes = [*head["attributes"].items(), *splats["attributes"].items()]
    read = {index for name, index in attributes if name not in NOT_READ}
    read |= {head["indices"], head["targets"][0]["POSITION"], head["targets"][51]["POSITION"]}
    tracemalloc.start()
    for index in read:
        accessor = document["accessors"][index]
        accessor["count"] *= lie
        assert load(place, pack(document, binary)), index
        accessor["count"] //= lie
    assert tracemalloc.get_traced_memory()[1] < MEMORY
    tracemalloc.stop()


@pytest.mark.parametrize("lie", [1 << 16, 1 << 24, 1 << 60, -4])
def test_lying_views(content: bytes, place: Path, lie: int) -> None:
    document, binary = unpack(content)
    used = document["accessors"][document["meshes"][1]["primitives"][0]["attributes"]["_FACE"]]["bufferView"]
    for key in ("byteOffset", "byteLength", "byteStride"):
        assert load(place, pack(replaced(document, ("bufferViews", used, key), lie * 4), binary)), key


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_numbers_that_are_no_numbers(content: bytes, place: Path, value: float) -> None:
    document, binary = unpack(content)
    for mesh in document["meshes"]:
        attributes = mesh["primitives"][0]["attributes"]
        for name in set(attributes) - NOT_READ:
            accessor = document["accessors"][attributes[name]]
            if accessor["componentType"] != 5126 or "bufferView" not in accessor:
                continue
            start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
            changed = binary[:start] + struct.pack("<f", value) + binary[start + 4 :]
            assert load(place, pack(document, changed)), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KHR_gaussian_splatting:SCALE", -0.001),
        ("KHR_gaussian_splatting:OPACITY", 1.01),
        ("KHR_gaussian_splatting:OPACITY", -0.01),
        ("KHR_gaussian_splatting:ROTATION", 3.0),
        ("WEIGHTS_0", 5.0),
        ("WEIGHTS_0", -0.5),
        ("_REGION_FACE", 1.5),
        ("_REGION_FACE", -0.5),
    ],
)
def test_values_out_of_range(content: bytes, place: Path, name: str, value: float) -> None:
    document, binary = unpack(content)
    mesh = next(m for m in document["meshes"] if name in m["primitives"][0]["attributes"])
    accessor = document["accessors"][mesh["primitives"][0]["attributes"][name]]
    start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    assert load(place, pack(document, binary[:start] + struct.pack("<f", value) + binary[start + 4 :]))


@pytest.mark.parametrize("name", ["_FACE", "_VERTEX", "_UV", "_PART", "_MIRROR", "JOINTS_0"])
def test_indices_out_of_range(content: bytes, place: Path, name: str) -> None:
    document, binary = unpack(content)
    mesh = next(m for m in document["meshes"] if name in m["primitives"][0]["attributes"])
    accessor = document["accessors"][mesh["primitives"][0]["attributes"][name]]
    start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    width = {5121: 1, 5123: 2}[accessor["componentType"]]
    assert load(place, pack(document, binary[:start] + b"\xf0" * width + binary[start + width :]))
