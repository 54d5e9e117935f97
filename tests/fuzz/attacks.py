"""Files made on purpose to fill the memory, to take for ever, or to reach what is not theirs, by reader.

Each is small. What they claim, unpack to or lead to is not.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from .packed import SINGLE, Files
from .readers import READERS

WITNESS = Path(tempfile.gettempdir()) / "zero1toa-was-here"
"""What there is after an attack that had its way: a pickle that was run, a zip that wrote where it liked."""

_HUGE = 20 << 30  # bytes that no reader may ask for


def attacks(name: str) -> dict[str, Files]:
    """Attacks on a reader, by what they do."""
    made = {
        "picture": _pictures,
        "lam": _lams,
        "gaussian_avatars": _gaussian_avatars,
        "splat_ply": _tables,
        "live_link_csv": _csvs,
        "motion_json": _jsons,
        "motion_npz": _npzs,
        "flame_mapping": _mappings,
        "flame_model": _pickles,
        "safetensors": _tensors,
        "saved_state": _states,
        "fit_folder": _fits,
        "clip": _clips,
        "batch_list": _lists,
        "video": _videos,
        "glb": _glbs,
    }
    return made[name]() if name in made else {}


def _first(name: str) -> Files:
    return READERS[name].seeds()[0]


def _one(**contents: bytes) -> dict[str, Files]:
    return {name: {SINGLE: content} for name, content in contents.items()}


# Pictures


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *more: bytes, data: bytes = b"") -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _pictures() -> dict[str, Files]:
    text = b"key\0\0" + zlib.compress(bytes(100 << 20), 1)
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)  # a directory that follows itself
    psd = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 66, 66, 8, 3) + struct.pack(">I", (1 << 32) - 1)
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return _one(
        png_of_900_megapixels=_png(30_000, 30_000, data=zlib.compress(bytes(1 << 20))),
        png_with_unpacking_text=_png(64, 64, _chunk(b"zTXt", text), data=zlib.compress(bytes(193 * 64))),
        png_with_unpacking_profile=_png(64, 64, _chunk(b"iCCP", text), data=zlib.compress(bytes(193 * 64))),
        png_with_too_much_data=_png(64, 64, data=zlib.compress(bytes(100 << 20), 1)),
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


# Avatars


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


def _lams() -> dict[str, Files]:
    whole = _first("lam")[SINGLE]
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
                whole, "p2-1/skin.glb", _glb(wide, binary + points.tobytes()), "skin.glb"
            ),
            "with_a_long_chain_of_joints": _with_member(whole, "p2-1/skin.glb", _glb(chain, binary), "skin.glb"),
        }.items()
    }


def _glb(document: object, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _glbs() -> dict[str, Files]:
    whole = _first("glb")[SINGLE]
    length = struct.unpack_from("<I", whole, 12)[0]
    document, binary = json.loads(whole[20 : 20 + length]), whole[28 + length :]
    empty = json.loads(json.dumps(document))
    for accessor in empty["accessors"]:
        accessor.pop("bufferView", None)
        accessor["count"] = 8_000_000
    return _one(
        accessors_without_data=_glb(empty, binary),
        deep=struct.pack("<4sIII4s", b"glTF", 2, 20 + (4 << 20), 4 << 20, b"JSON") + b"[" * (4 << 20),
        long=struct.pack("<4sIII4s", b"glTF", 2, 20, 0xFFFFFFFF, b"JSON"),
    )


def _gaussian_avatars() -> dict[str, Files]:
    whole = _first("gaussian_avatars")
    return {
        f"parameters_{name}": {**whole, "flame_param.npz": files[SINGLE]} for name, files in _bombs("shape").items()
    }


def _tables() -> dict[str, Files]:
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex %s\n"
    return _one(
        claims_a_billion=head % b"999999999" + b"property float x\nend_header\n",
        claims_superscript=head % "²".encode("latin1") + b"property float x\nend_header\n",
        endless_header=head % b"3" + b"comment x\n" * 500_000,
        many_properties=head % b"3" + b"".join(b"property float p%d\n" % n for n in range(5000)) + b"end_header\n",
    )


# Motions


def _csvs() -> dict[str, Files]:
    header = _first("live_link_csv")[SINGLE].split(b"\n")[0]
    row = b",61," + b",".join([b"0.1"] * 61)
    return _one(
        wide_and_long=header + b",x" * 200_000 + b"\n" + b"00:00:01:00,1\n" * 100_000,
        one_line=b"Timecode," * 3_000_000,
        a_hundred_days=b"\n".join([header, b"00:00:00:00" + row, b"00:00:00:01" + row, b"2400:00:00:00" + row]),
        a_billion_frames_a_second=b"\n".join(
            [header, *(b"00:00:01.%012d" % n + row for n in range(99)), b"00:59:00.0" + row]
        ),
        a_long_quote=header + b'\n"' + b"x" * (8 << 20),
        short_rows=header.replace(b"Timecode,", b"") + b",Timecode\n0.1,0.2\n",
        digits=header + b"\n" + b"9" * 100_000 + b":00:00:00" + row,
    )


def _jsons() -> dict[str, Files]:
    return _one(
        deep=b"[" * 5_000_000, deep_objects=b'{"a":' * 1_000_000, digits=b'{"fps":' + b"9" * 1_000_000 + b"}",
        infinite=b'[{"jawOpen": 1e999}]', no_numbers=b'{"fps": NaN, "weights": [[NaN]]}',
        many_empty=b'{"fps": 30, "weights": [' + b"[]," * 2_000_000 + b"[]]}",
        large_names=b'{"fps": 30, "names": ["' + b"x" * 5_000_000 + b'"], "weights": [[0]]}',
        slow=b'{"fps": 1e-300, "weights": [[' + b",".join([b"0"] * 52) + b"]]}",
        quick=b'{"fps": 1e300, "weights": [[' + b",".join([b"0"] * 52) + b"]]}",
    )  # fmt: skip


def _npy(shape: str, content: bytes = b"", descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(118) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


def _bombs(name: str, large: bool = False) -> dict[str, Files]:
    """Archives of arrays that are larger, stranger or more than they should be. Large ones take seconds to make, and
    all readers of arrays share what refuses them."""
    evil = pickle.dumps(_Evil())
    members = {
        "claims_20_gigabytes": _npy(f"({_HUGE // 8},)", bytes(800)),
        "claims_a_negative_size": _npy("(-1, -1)", bytes(8)),
        "claims_nothing_of_much": _npy("(0, 999999999)"),
        "objects": _npy("(1,)", evil, "|O"),
        "records_of_objects": _npy("(1,)", evil, "|V8"),
        "long_texts": _npy("(1,)", bytes(64), "<U999999999"),
        "no_characters": _npy("(2,)", b"\xff" * 8, "<U1"),
        "deep_header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 9000) + b"(" * 9000,
        "long_header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 4 << 20) + b"[" * (4 << 20),
    }
    if large:
        members["unpacks_to_300_megabytes"] = _npy("(1,)", bytes(300 << 20))
        honest = _npy(f"({300 << 17},)", bytes(300 << 20))
        members["unpacks_to_an_honest_300_megabytes"] = honest
    out = {}
    for what, content in members.items():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{name}.npy", content)
        out[what] = {SINGLE: stream.getvalue()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(6 if large else 0):
            archive.writestr(f"{name}{number}.npy", _npy(f"({50 << 17},)", bytes(50 << 20)))
        for number in range(20_000):
            archive.writestr(f"empty{number}", b"")
    return {**out, "many_members": {SINGLE: stream.getvalue()}}


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (WITNESS,)  # type: ignore[return-value]


def _npzs() -> dict[str, Files]:
    return _bombs("weights", large=True)


def _mappings() -> dict[str, Files]:
    alone = _one(npy_of_20_gigabytes=_npy(f"({_HUGE // 416}, 52)", bytes(416)), npy_of_objects=_npy("()", b"", "|O"))
    return {**_bombs("mapping"), **alone}


def _clips() -> dict[str, Files]:
    folder = _first("clip")
    picture = _png(30_000, 30_000, data=zlib.compress(bytes(1 << 20)))
    huge = json.loads(folder["cameras.json"])
    huge["width"] = huge["height"] = 30_000
    return {
        **_bombs("frames"),
        "pictures_of_900_megapixels": {
            **folder,
            "00000.png": picture,
            "00001.png": picture,
            "cameras.json": json.dumps(huge).encode(),
        },
        "infinite_size": {**folder, "cameras.json": folder["cameras.json"].replace(b'"width": 16', b'"width": 1e999')},
        "deep": {**folder, "cameras.json": b"[" * 5_000_000},
    }


# Models and states


def _pickled(*operations: bytes) -> bytes:
    return b"\x80\x02" + b"".join(operations) + b"."


def _pickles() -> dict[str, Files]:
    again = b"q%sh%s"

    def doubled(times: int) -> bytes:
        """A tuple of one tuple twice, so often nested: small to write, and its hash, text and copies are endless."""
        out = b")" + again % (b"\0", b"\0")
        for n in range(times):
            out += b"\x86" + again % (bytes([n + 1]), bytes([n + 1]))
        return out[:-2]

    make = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0tR"
    kind = b"cnumpy\ndtype\n(U\x02f8K\0K\1tR(K\x03U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    big = 8 << 20
    array = (
        make
        + b"(K\1(J"
        + struct.pack("<i", big // 8)
        + b"t"
        + kind
        + b"\x89B"
        + struct.pack("<I", big)
        + bytes(big)
        + b"tb"
    )
    shared = b"}(" + b"X\1\0\0\0a" + array + b"q\xf0"
    shared += b"".join(b"X\5\0\0\0%05dh\xf0" % n for n in range(5000)) + b"u"
    encoded = b"c_codecs\nencode\nq\xf20X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20) + b"q\xf30}X\1\0\0\0a]("
    encoded += b"h\xf2(h\xf3tR" * 5000 + b"es"
    sparse = b"cscipy.sparse.csc\ncsc_matrix\n)\x81}("
    sparse += b"X\6\0\0\0_shapeJ" + struct.pack("<i", 1 << 13) + b"J" + struct.pack("<i", 1 << 13) + b"\x86u"
    select = (
        b"cchumpy.ch\nCh\n)\x81}X\1\0\0\0x"
        + array.replace(bytes(big), bytes(8))
        .replace(struct.pack("<I", big), struct.pack("<I", 8))
        .replace(b"J" + struct.pack("<i", big // 8), b"K\1")
        + b"sbq\0"
    )
    for n in range(60):
        select += (
            b"0cchumpy.reordering\nSelect\n)\x81}(X\1\0\0\0ah"
            + bytes([n])
            + b"X\4\0\0\0idxsh"
            + bytes([n])
            + b"ubq"
            + bytes([n + 1])
        )
    return _one(
        endless_hash=_pickled(b"}", doubled(60), b"K\1s"),
        endless_hash_in_a_set=b"\x80\x04" + b"\x8f(" + doubled(60) + b"\x90.",
        endless_hash_in_a_frozen_set=b"\x80\x04(" + doubled(60) + b"\x91.",
        endless_text_of_a_shape=_pickled(b"}X\1\0\0\0a", make, b"(K\1", doubled(30), kind, b"\x89U\1x", b"tb", b"s"),
        endless_text_of_a_type=_pickled(
            b"}X\1\0\0\0a", make, b"(K\1K\1\x85cnumpy\ndtype\n(", doubled(30), b"tR\x89U\1xtb", b"s"
        ),
        endless_array=_pickled(b"}X\1\0\0\0acchumpy.ch\nCh\n)\x81}X\1\0\0\0x", doubled(31), b"sbs"),
        endless_sparse_matrix=_pickled(
            b"}X\1\0\0\0acscipy.sparse.csc\ncsc_matrix\n)\x81}(X\6\0\0\0_shapeK\1K\1\x86X\4\0\0\0data",
            doubled(31),
            b"ubs",
        ),
        one_array_under_5000_names=_pickled(shared),
        one_text_encoded_5000_times=_pickled(encoded),
        sparse_of_half_a_gigabyte=_pickled(b"}X\1\0\0\0a", sparse, b"bs"),
        selections_of_selections=_pickled(select, b"0}X\1\0\0\0ah\x3cs"),
        runs_a_program=_pickled(b"}X\1\0\0\0acos\nsystem\n(X\4\0\0\0truetRs"),
        claims_a_long_text=b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
        claims_a_long_number=b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
        grows_its_memo=b"\x80\x02Nr" + struct.pack("<I", 0xFFFFFFF0) + b".",
        digits=b"\x80\x02}X\1\0\0\0aL" + b"9" * 2_000_000 + b"L\ns.",
        deep=b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
        **{f"npz_{what}": files[SINGLE] for what, files in _bombs("v_template").items()},
    )  # fmt: skip


def _tensors() -> dict[str, Files]:
    def file(header: object, data: bytes = b"") -> bytes:
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    return _one(
        claims_20_gigabytes=file({"a": {"dtype": "F32", "shape": [_HUGE // 4], "data_offsets": [0, _HUGE]}}),
        overlapping=file({n: {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]} for n in "ab"}, bytes(8)),
        negative=file({"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}, bytes(8)),
        long_header=struct.pack("<Q", 1 << 62) + b"{}", deep=struct.pack("<Q", 900_000) + b"[" * 900_000,
        overflowing=file({"a": {"dtype": "U8", "shape": [1 << 32, 1 << 32], "data_offsets": [0, 0]}}),
        nothing_of_much=file({"a": {"dtype": "U8", "shape": [0, 1 << 60], "data_offsets": [0, 0]}}),
    )  # fmt: skip


def _states() -> dict[str, Files]:
    import torch

    stream = io.BytesIO()
    torch.save({"fingerprint": "x", "a": _Evil()}, stream)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(stream.getvalue())) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for item in old.infolist():
            new.writestr(item.filename, bytes(64 << 20) if item.filename.endswith("data.pkl") else old.read(item))
    return {"runs_a_program": {"state.pt": stream.getvalue()}, "unpacks_to_much": {"state.pt": out.getvalue()}}


def _fits() -> dict[str, Files]:
    whole = _first("fit_folder")
    picture = _png(30_000, 30_000, data=zlib.compress(bytes(1 << 20)))
    return {
        "pictures_of_900_megapixels": {**whole, "crop.png": picture, "matte.png": picture},
        "deep": {**whole, "fit.json": b"[" * 5_000_000},
        "infinite_size": {**whole, "fit.json": whole["fit.json"].replace(b'"width": 24', b'"width": 1e999')},
        "eps": {**whole, "crop.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"},
    }


# Lists and videos


def _lists() -> dict[str, Files]:
    wide = b"photo," + b",".join(b"c%d" % n for n in range(200_000)) + b"\n" + b"a.jpg\n" * 200
    return {
        "leads_outside": {"l.csv": b"photo,name\na.jpg,../../../../x\nb.jpg,/etc/x\nc.jpg,C:\\x\nd.jpg,..\\..\\x\n"},
        "no_user": {"l.txt": b"~nobody-of-that-name/a.jpg\n"},
        "deep": {"l.jsonl": b'{"photo":' * 300_000},
        "half_a_character": {"l.jsonl": b'{"photo": "\\ud800.jpg", "name": "\\ud800"}'},
        "wide": {"l.csv": wide},
        "many_names_alike": {"l.txt": b"\n".join(b"%d/a.jpg" % n for n in range(20_000))},
        "digits": {"l.csv": b"photo,seed\na.jpg," + b"9" * 100_000 + b"\n"},
        "formula": {"l.csv": b"photo,name\na.jpg,=cmd|' /C calc'!A0\n"},
    }


def _videos() -> dict[str, Files]:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"
    return _one(
        playlist=playlist,
        concat=b"ffconcat version 1.0\nfile /etc/passwd\n",
        dash=b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>',
        session=b"v=0\nm=video 9 RTP/AVP 96\nc=IN IP4 127.0.0.1\na=rtpmap:96 H264/90000\n",
        avi_of_4_gigapixels=_avi(), empty=b"", spaces=b" \n" * 100,
    )  # fmt: skip


def _avi() -> bytes:
    """A frame of 65,000 x 65,000 px."""
    whole = next(files[SINGLE] for files in READERS["video"].seeds() if files[SINGLE][:4] == b"RIFF")
    size = struct.pack("<II", 64, 64)  # of the container; the JPEG in it says the same, height first
    large = whole.replace(size, struct.pack("<II", 65_000, 65_000))
    return large.replace(b"\x08\x00\x40\x00\x40", b"\x08" + struct.pack(">HH", 65_000, 65_000))
