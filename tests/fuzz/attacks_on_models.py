"""Models, states and fits: pickles that run programs or never end, archives that unpack to gigabytes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

from .attack_parts import HUGE, Evil, bombs, first, npy, one, png
from .packed import SINGLE, Files


def mappings() -> dict[str, Files]:
    alone = one(npy_of_20_gigabytes=npy(f"({HUGE // 416}, 52)", bytes(416)), npy_of_objects=npy("()", b"", "|O"))
    return {**bombs("mapping"), **alone}


def _pickled(*operations: bytes) -> bytes:
    return b"\x80\x02" + b"".join(operations) + b"."


def pickles() -> dict[str, Files]:
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
    return one(
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
        **{f"npz_{what}": files[SINGLE] for what, files in bombs("v_template").items()},
    )  # fmt: skip


def tensors() -> dict[str, Files]:
    def file(header: object, data: bytes = b"") -> bytes:
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    return one(
        claims_20_gigabytes=file({"a": {"dtype": "F32", "shape": [HUGE // 4], "data_offsets": [0, HUGE]}}),
        overlapping=file({n: {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]} for n in "ab"}, bytes(8)),
        negative=file({"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}, bytes(8)),
        long_header=struct.pack("<Q", 1 << 62) + b"{}", deep=struct.pack("<Q", 900_000) + b"[" * 900_000,
        overflowing=file({"a": {"dtype": "U8", "shape": [1 << 32, 1 << 32], "data_offsets": [0, 0]}}),
        nothing_of_much=file({"a": {"dtype": "U8", "shape": [0, 1 << 60], "data_offsets": [0, 0]}}),
    )  # fmt: skip


def states() -> dict[str, Files]:
    import torch

    stream = io.BytesIO()
    torch.save({"fingerprint": "x", "a": Evil()}, stream)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(stream.getvalue())) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for item in old.infolist():
            new.writestr(item.filename, bytes(64 << 20) if item.filename.endswith("data.pkl") else old.read(item))
    return {"runs_a_program": {"state.pt": stream.getvalue()}, "unpacks_to_much": {"state.pt": out.getvalue()}}


def fits() -> dict[str, Files]:
    whole = first("fit_folder")
    picture = png(30_000, 30_000, data=zlib.compress(bytes(1 << 20)))
    return {
        "pictures_of_900_megapixels": {**whole, "crop.png": picture, "matte.png": picture},
        "deep": {**whole, "fit.json": b"[" * 5_000_000},
        "infinite_size": {**whole, "fit.json": whole["fit.json"].replace(b'"width": 24', b'"width": 1e999')},
        "eps": {**whole, "crop.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"},
    }
