"""The restricted unpickler: what it reads, and what it refuses without running it."""

from __future__ import annotations

import contextlib
import pickle
import struct

import numpy as np
import pytest
from scipy import sparse

from zero1toa.errors import AssetError
from zero1toa.heads.flame import unpickle
from zero1toa.heads.flame.unpickle import read_pickle


@pytest.mark.parametrize("protocol", range(6))
def test_reads_arrays_and_sparse_matrices_of_every_protocol(protocol):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.normal(size=(4, 3)),
        "f": np.asfortranarray(rng.integers(0, 9, (5, 3)).astype(np.uint32)),
        "b": rng.normal(size=7).astype(">f4"),
        "csc": sparse.random(5, 8, 0.4, "csc", random_state=1),
        "csr": sparse.csr_matrix(np.eye(3)[[2, 0]]),
        "n": np.float64(2.5),
        "text": "lbs",
    }
    found = read_pickle(pickle.dumps(arrays, protocol=protocol), "x.pkl")
    for name in ("a", "f", "b"):
        np.testing.assert_array_equal(found[name], arrays[name])
        assert type(found[name]) is np.ndarray
    for name in ("csc", "csr"):
        np.testing.assert_array_equal(found[name], arrays[name].toarray())
    assert found["n"] == 2.5 and found["text"] == "lbs"


class Calls:
    def __init__(self, function, *arguments):
        self.made = (function, arguments)

    def __reduce__(self):
        return self.made


def _attack(function, *arguments):
    return pickle.dumps({"v_template": Calls(function, *arguments)}, protocol=2)


def _global(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


def _array(code: str, shape: bytes = b"(K\x02t", raw: bytes = b"\x00" * 16) -> bytes:
    """{'a': array} by hand: the type, the shape as opcodes, the content."""
    make = _global("numpy.core.multiarray", "_reconstruct") + b"(" + _global("numpy", "ndarray") + b"K\x00tR"
    kind = _global("numpy", "dtype") + b"(U" + bytes([len(code)]) + code.encode() + b"K\x00K\x01tR"
    kind += b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = b"B" + struct.pack("<I", len(raw)) + raw
    return b"\x80\x03}U\x01a" + make + b"(K\x01" + shape + kind + b"I00\n" + content + b"tbs."


ATTACKS = {
    "os.system": _attack(__import__("os").system, "touch pwned"),
    "subprocess": _attack(__import__("subprocess").check_call, ["touch", "pwned"]),
    "eval": _attack(eval, "open('pwned', 'w')"),
    "exec": _attack(exec, "open('pwned', 'w')"),
    "open": _attack(open, "pwned", "w"),
    "import": _attack(__import__, "antigravity"),
    "getattr": _attack(getattr, "x", "upper"),
    "an old name of eval": b"c__builtin__\neval\n(Vopen('pwned','w')\ntR.",
    "numpy's own pickle reader": _attack(np.load, "other.npy", None, True),
    "numpy.core, another function": _global("numpy.core.multiarray", "fromfile") + b"(Vpasswd\ntR.",
    "numpy.testing.runstring": _global("numpy.testing._private.utils", "runstring") + b"(Vx=1\n}tR.",
    "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x10core.os.system_x\x93.",
    "a dotted way through an allowed module": b"\x80\x04\x8c\x06copyreg\x8c\x17_reconstructor.__globals__\x93.",
    "an old-style instance": b"(Vtouch pwned\nios\nsystem\n.",
    "an object by its class": b"(c__builtin__\neval\nV1\no.",
    "a persistent id": b"Pfile:///pwned\n.",
    "the extension registry": b"\x82\x01.",
    "a class made to build itself": _global("numpy", "ndarray") + b"}U\x0c__reduce_ex__U\x01xsb.",
    "a function's defaults changed": _global("_codecs", "encode") + b"N}U\x0c__defaults__U\x01xs\x86b.",
    "a codec that unpacks": _global("_codecs", "encode") + b"(VAAAA\nVzlib\ntR.",
    "an array of objects": _array("O8"),
    "an array of records": _array("V16"),
    "an array that claims terabytes": _array("f8", b"(\x8a\x06\x00\x00\x00\x00\x00\x01t"),
    "an array of negative size": _array("f8", b"(J\xfe\xff\xff\xfft"),
    "an array larger than its content": _array("f8", b"(K\x03t"),
    "a buffer that claims terabytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 42) + b".",
    "bytes that claim terabytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 42) + b".",
    "a sparse matrix that points outside": pickle.dumps(
        {"J_regressor": sparse.csc_matrix((np.ones(1), [0], [0, 1]), (1, 1))}, protocol=2
    ).replace(struct.pack("<i", 0) + struct.pack("<i", 1), struct.pack("<i", 0) + struct.pack("<i", 9)),
    "no dictionary": pickle.dumps([1, 2]),
    "another model's class": b"cchumpy.ch\nMatVecMult\n(tR.",
    "half a file": pickle.dumps({"a": np.zeros(9)})[:-40],
    "nothing": b"",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refuses(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passwd").write_bytes(b"secret")
    with pytest.raises(AssetError) as caught:
        read_pickle(ATTACKS[name], "flame.pkl")
    assert "flame.pkl" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_a_memo_far_away_takes_no_memory():
    found = read_pickle(b"\x80\x02}r\xff\xff\xff\x7f.", "flame.pkl")  # the C unpickler would take 16 GB for this
    assert found == {}


def test_an_attack_leaves_the_reader_as_it_was():
    for attack in ATTACKS.values():
        with pytest.raises(AssetError):
            read_pickle(attack, "flame.pkl")
    good = pickle.dumps({"a": np.arange(3.0)}, protocol=2)
    np.testing.assert_array_equal(read_pickle(good, "x")["a"], np.arange(3.0))


def test_the_attacks_are_real(tmp_path, monkeypatch):
    """Python's own reader runs them."""
    monkeypatch.chdir(tmp_path)
    for name in ("os.system", "eval", "an old name of eval", "an old-style instance"):
        (tmp_path / "pwned").unlink(missing_ok=True)
        with contextlib.suppress(Exception):
            pickle.loads(ATTACKS[name])
        assert (tmp_path / "pwned").exists(), name


def test_knows_nothing_but_inert_names():
    for (module, name), stands_for in unpickle._ALLOWED.items():
        inert = isinstance(stands_for, type) and issubclass(stands_for, unpickle._Inert)
        assert inert or isinstance(stands_for, unpickle._Call), (module, name)
