"""Pictures and avatars that claim, unpack to or lead to more than they should."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

import numpy as np

from .attack_parts import WITNESS, bombs, chunk, first, glb, one, png
from .packed import SINGLE, Files


def pictures() -> dict[str, Files]:
    text = b"key\0\0" + zlib.compress(bytes(100 << 20), 1)
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)  # a directory that follows itself
    psd = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 66, 66, 8, 3) + struct.pack(">I", (1 << 32) - 1)
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return one(
        png_of_900_megapixels=png(30_000, 30_000, data=zlib.compress(bytes(1 << 20))),
        png_with_unpacking_text=png(64, 64, chunk(b"zTXt", text), data=zlib.compress(bytes(193 * 64))),
        png_with_unpacking_profile=png(64, 64, chunk(b"iCCP", text), data=zlib.compress(bytes(193 * 64))),
        png_with_too_much_data=png(64, 64, data=zlib.compress(bytes(100 << 20), 1)),
        tiff_that_never_ends=tiff,
        psd_of_4_gigabytes=psd,
        gif_of_4_gigapixels=gif + frame + b";",
        gif_of_100000_frames=gif.replace(b"\xff\xff\xff\xff", struct.pack("<HH", 64, 64)) + frame * 100_000 + b";",
        jpeg2000_of_4_gigapixels=b"\xff\x4f\xff\x51"
        + struct.pack(">HHIIIIIIIIH", 47, 0, *[65535] * 2, 0, 0, *[65535] * 2, 0, 0, 3)
        + bytes([7, 1, 1] * 3),
        svg=b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        eps=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(/etc/passwd) (r) file\n",
    )


def _with_member(archive: bytes, name: str, content: bytes, ending: str) -> bytes:
    """The zip with one more member, or another content for one."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for item in old.infolist():
            if not item.filename.endswith(ending):
                new.writestr(item.filename, old.read(item))
        new.writestr(name, content)
    return out.getvalue()


def lams() -> dict[str, Files]:
    whole = first("lam")[SINGLE]
    skin = zipfile.ZipFile(io.BytesIO(whole)).read("p2-1/skin.glb")
    length = struct.unpack_from("<I", skin, 12)[0]
    document, binary = json.loads(skin[20 : 20 + length]), skin[28 + length :]
    many = 4_000_000
    wide = json.loads(json.dumps(document))
    primitive = next(m for m in wide["meshes"] if m["primitives"][0].get("targets"))["primitives"][0]
    wide["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": 12 * many})
    wide["accessors"].append(
        {"bufferView": len(wide["bufferViews"]) - 1, "componentType": 5126, "type": "VEC3", "count": many}
    )
    primitive["attributes"]["POSITION"] = len(wide["accessors"]) - 1
    points = np.zeros((many, 3), np.float32)
    points[0, 1] = 0.3
    chain = json.loads(json.dumps(document))
    chain["nodes"] = [{"children": [n + 1]} for n in range(8000)]
    chain["skins"][0]["joints"] = list(range(7999, 7999 - 4096, -1))
    chain["skins"][0].pop("inverseBindMatrices", None)
    return {
        f"zip_{name}": {SINGLE: content}
        for name, content in {
            "slip": _with_member(whole, "../../../../../.." + WITNESS.as_posix(), b"x", "-"),
            "absolute": _with_member(whole, WITNESS.as_posix(), b"x", "-"),
            "backslash": _with_member(whole, "..\\..\\slipped.txt", b"x", "-"),
            "bomb": _with_member(whole, "p2-1/skin.glb", bytes(140 << 20), "skin.glb"),
            "of_zips": _with_member(whole, "p2-1/skin.glb", whole, "skin.glb"),
            "twice": _with_member(whole, "other/skin.glb", skin, "-"),
            "with_bomb_of_json": _with_member(whole, "p2-1/vertex_order.json", b"[" * (6 << 20), "order.json"),
            "with_millions_of_vertices": _with_member(
                whole, "p2-1/skin.glb", glb(wide, binary + points.tobytes()), "skin.glb"
            ),
            "with_a_long_chain_of_joints": _with_member(whole, "p2-1/skin.glb", glb(chain, binary), "skin.glb"),
        }.items()
    }


def glbs() -> dict[str, Files]:
    whole = first("glb")[SINGLE]
    length = struct.unpack_from("<I", whole, 12)[0]
    document, binary = json.loads(whole[20 : 20 + length]), whole[28 + length :]
    empty = json.loads(json.dumps(document))
    for accessor in empty["accessors"]:
        accessor.pop("bufferView", None)
        accessor["count"] = 8_000_000
    return one(
        accessors_without_data=glb(empty, binary),
        deep=struct.pack("<4sIII4s", b"glTF", 2, 20 + (4 << 20), 4 << 20, b"JSON") + b"[" * (4 << 20),
        long=struct.pack("<4sIII4s", b"glTF", 2, 20, 0xFFFFFFFF, b"JSON"),
    )


def gaussian_avatars() -> dict[str, Files]:
    whole = first("gaussian_avatars")
    return {f"parameters_{name}": {**whole, "flame_param.npz": files[SINGLE]} for name, files in bombs("shape").items()}


def tables() -> dict[str, Files]:
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex %s\n"
    return one(
        claims_a_billion=head % b"999999999" + b"property float x\nend_header\n",
        claims_superscript=head % "²".encode("latin1") + b"property float x\nend_header\n",
        endless_header=head % b"3" + b"comment x\n" * 500_000,
        many_properties=head % b"3" + b"".join(b"property float p%d\n" % n for n in range(5000)) + b"end_header\n",
    )
