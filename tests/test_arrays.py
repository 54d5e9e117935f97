"""Arrays from files: what NumPy writes is read as NumPy reads it, and nothing else is made of a file."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from zero1toa.arrays import DamagedArrays, read_array, read_arrays

MOST = 1 << 20

ARRAYS = {
    "floats": np.random.default_rng(0).random((3, 4)),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "swapped": np.arange(5, dtype=">i4"),
    "truth": np.array([[True], [False]]),
    "names": np.array(["jawOpen", "é", ""]),
    "bytes": np.array([b"ab", b"c"]),
    "single": np.float64(30.0),
    "nothing": np.zeros((0, 3), np.uint8),
}


def saved(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def npy(header: str, content: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("latin1") + content


def described(shape: str, descr: str = "<f8", order: str = "False") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


def test_what_numpy_writes_is_read(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(saved(**ARRAYS))
    for source in (path, path.read_bytes()):
        found = read_arrays(source, MOST)
        assert found.keys() == ARRAYS.keys()
        for name, expected in ARRAYS.items():
            np.testing.assert_array_equal(found[name], expected)
            assert found[name].dtype == expected.dtype.newbyteorder("=")
            assert found[name].flags.writeable
    np.save(tmp_path / "a.npy", ARRAYS["columns"])
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy", MOST), ARRAYS["columns"])


def test_only_what_is_wanted_is_unpacked_and_counted():
    raw = saved(large=np.zeros(MOST), small=np.ones(2))
    assert list(read_arrays(raw, MOST, lambda name: name == "small")) == ["small"]
    with pytest.raises(DamagedArrays, match="too much"):
        read_arrays(raw, MOST)


def test_all_arrays_together_have_the_limit():
    half = np.zeros(MOST // 16)
    assert len(read_arrays(saved(a=half), MOST)) == 1
    with pytest.raises(DamagedArrays, match="too much"):
        read_arrays(saved(a=half, b=half, c=half), MOST)
    with pytest.raises(DamagedArrays, match="too much"):
        read_array(npy(described("(1,)"), bytes(MOST + 20_000)), MOST)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\x93NUMPY", npy("{}"), npy("x"), npy("(" * 5000), npy("{" * 99), npy("1" * 9000), npy("-" * 5000 + "1"),
        npy("[" * (4 << 20), version=2), npy(described("(2,)"), bytes(15)), npy(described("(2,)"), bytes(17)),
        npy(described("(-1, -1)"), bytes(8)), npy(described("(True,)"), bytes(8)), npy(described("(1.5,)"), bytes(8)),
        npy(described("5"), bytes(40)), npy(described("(1,) * 9"), bytes(8)),
        npy(described("(" + "1, " * 9 + ")"), bytes(8)),
        npy(described("(0, 1 << 62)")), npy(described("(0, 9999999999999)")), npy(described("(2000000000,)"), bytes(8)),
        npy(described("(1,)", "|O"), bytes(8)), npy(described("(1,)", "|V8"), bytes(8)),
        npy(described("(1,)", "<M8[s]"), bytes(8)), npy(described("(1,)", "<c16"), bytes(16)),
        npy(described("(1,)", "<U999999999"), bytes(8)), npy(described("(1,)", "<f7"), bytes(7)),
        npy(described("(2,)", "<U1"), b"\xff" * 8), npy(described("(1,)", order="[]"), bytes(8)),
        npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", bytes(8)),
    ],
)  # fmt: skip
def test_what_numpy_would_not_write_is_refused(raw):
    tracemalloc.start()
    with pytest.raises(DamagedArrays):
        read_array(raw, MOST)
    assert tracemalloc.get_traced_memory()[1] < 24 << 20
    tracemalloc.stop()


def test_truth_values_are_true_or_false():
    found = read_array(npy(described("(3,)", "|b1"), b"\x00\x01\x07"), MOST)
    assert found.view(np.uint8).tolist() == [0, 1, 1]


def zipped(method: int = zipfile.ZIP_DEFLATED, names: tuple[str, ...] = ("a.npy",)) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number, name in enumerate(names):
            if name not in names[:number] or number:
                archive.writestr(zipfile.ZipInfo(name), npy(described("(1,)"), bytes(8)), method)
    return stream.getvalue()


def test_archives_that_no_numpy_writes_are_refused():
    encrypted = bytearray(zipped())
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    damaged = bytearray(saved(a=np.random.default_rng(0).random(100)))
    damaged[60:90] = b"\xff" * 30
    for raw in (
        b"",
        b"PK",
        b"PK\x03\x04" + bytes(99),
        zipped(zipfile.ZIP_BZIP2),
        bytes(encrypted),
        bytes(damaged),
        zipped()[:-9],
    ):
        with pytest.raises(DamagedArrays):
            read_arrays(raw, MOST)
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = zipped(names=("a.npy", "a.npy"))
    with pytest.raises(DamagedArrays, match="twice"):
        read_arrays(twice, MOST)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "no.npz", MOST)
