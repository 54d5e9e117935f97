"""Reads model files that are Python pickles without running anything they say.

A pickle is a program: it may name any function of any module and call it. This reader knows a fixed list of names, and
each stands for an inert class of ours that only keeps what the file says. Neither numpy, scipy nor chumpy is called
until the whole file has been read and what it holds has been checked.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from zero1toa.errors import AssetError, told

_MOST_BYTES = 1 << 29  # of all arrays together; FLAME's have 60 MB, its shapes in float64 alone 48 MB
_MOST_SPARSE = 1 << 26  # bytes of a sparse matrix written out; FLAME's joint regressor has 0.2 MB
_DEEPEST_SELECTION = 8  # chumpy arrays chosen from chumpy arrays
_MOST_DIMENSIONS = 4
_KINDS = "fiub"  # floats, whole numbers, truth values; never Python objects


class Refused(Exception):
    """The file asks for something that no head model needs. The message continues "the file "."""


class _Inert:
    """What a name in the file stands for: an object that only remembers how it was made."""

    def __new__(cls, *arguments: Any) -> _Inert:
        self = super().__new__(cls)
        self.__dict__["arguments"] = arguments
        self.__dict__["state"] = None
        return self

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(self, type):
            raise Refused("changes a class")
        self.__dict__["state"] = state

    arguments: tuple[Any, ...]
    state: Any


class _Object(_Inert):
    """Python's `object`, the base that old pickles name beside each class."""


class _Dtype(_Inert):
    """`numpy.dtype`."""

    def value(self) -> np.dtype[Any]:
        code = self.arguments[0] if self.arguments else None
        code = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(code, str) or len(code) > 4 or code.lstrip("<>|=")[:1] not in _KINDS:
            raise Refused(f"holds an array of the type {told(code) if isinstance(code, str) else type(code).__name__}")
        dtype = np.dtype(code)
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        order = order.decode("latin1") if isinstance(order, bytes) else order
        return dtype.newbyteorder("<" if order == "<" else ">") if order in ("<", ">") else dtype


class _NdarrayType(_Inert):
    """`numpy.ndarray`, only named, never made directly."""


class _Set(_Inert):
    """`set`: chumpy keeps an empty one beside its values."""


class _Array(_Inert):
    """`numpy._reconstruct`: an array whose content follows as its state."""

    def value(self) -> NDArray[Any]:
        state = self.state
        if not isinstance(state, tuple) or len(state) != 5:
            raise Refused("holds an array without content")
        _, shape, dtype, fortran, raw = state
        return _array(raw, dtype, shape, "F" if fortran else "C")


class _Frombuffer(_Inert):
    """`numpy._frombuffer`, the form of newer pickles."""

    def value(self) -> NDArray[Any]:
        if len(self.arguments) != 4:
            raise Refused("holds an array without content")
        raw, dtype, shape, order = self.arguments
        return _array(raw, dtype, shape, order)


class _Scalar(_Inert):
    """`numpy.core.multiarray.scalar`."""

    def value(self) -> Any:
        dtype, raw = self.arguments
        return _array(raw, dtype, (), "C")[()]


class _Sparse(_Inert):
    """A compressed sparse matrix of scipy, by column or by row."""

    by_column: ClassVar[bool] = True

    def value(self) -> NDArray[np.float64]:
        state = self.state
        if not isinstance(state, dict):
            raise Refused("holds a sparse matrix without content")
        names = {str(k, "latin1") if isinstance(k, bytes) else k: v for k, v in state.items()}
        shape = names.get("_shape", names.get("shape"))
        data, indices, indptr = (_plain_array(names.get(k)) for k in ("data", "indices", "indptr"))
        rows, columns = _shape(shape, 2)
        if rows * columns * 8 > _MOST_SPARSE:
            raise Refused("holds a sparse matrix that is too large")
        outer, inner = (columns, rows) if self.by_column else (rows, columns)
        whole = indices.dtype.kind in "iu" and indptr.dtype.kind in "iu" and data.dtype.kind in "fiu"
        if not whole or data.ndim != 1 or indices.shape != data.shape or indptr.shape != (outer + 1,):
            raise Refused("holds a damaged sparse matrix")
        counts = np.diff(indptr.astype(np.int64))
        if indptr[0] != 0 or (counts < 0).any() or counts.sum() != len(data):
            raise Refused("holds a damaged sparse matrix")
        if len(indices) and (indices.min() < 0 or indices.max() >= inner):
            raise Refused("holds a damaged sparse matrix")
        dense = np.zeros((outer, inner))
        np.add.at(dense, (np.repeat(np.arange(outer), counts), indices), data)
        return dense.T if self.by_column else dense


class _SparseRows(_Sparse):
    by_column: ClassVar[bool] = False


class _Chumpy(_Inert):
    """Any class of chumpy, the retired library in which older files keep arrays: its state says the values."""

    def depth(self) -> int:
        """How many selections follow each other; counted no further than is allowed, whichever way they branch."""
        deepest, level, seen = 0, [self], {id(self)}
        while level and deepest <= _DEEPEST_SELECTION:
            inner = [v for c in level if isinstance(c.state, dict) for v in c.state.values() if isinstance(v, _Chumpy)]
            level = [c for c in inner if not (id(c) in seen or seen.add(id(c)))]  # type: ignore[func-returns-value]
            deepest += 1
        return deepest

    def value(self) -> NDArray[Any]:
        state = self.state if isinstance(self.state, dict) else {}
        names = {str(k, "latin1") if isinstance(k, bytes) else k: v for k, v in state.items()}
        if "x" in names:
            return _plain_array(names["x"])
        if "a" in names and "idxs" in names:
            if self.depth() > _DEEPEST_SELECTION:
                raise Refused("holds chumpy selections of selections")
            base, index = _plain_array(names["a"]).ravel(), _plain_array(names["idxs"])
            if index.dtype.kind not in "iu" or (
                index.size and not -len(base) <= index.min() <= index.max() < len(base)
            ):
                raise Refused("holds a damaged chumpy selection")
            picked = base[index]
            shape = names.get("preferred_shape")
            return picked.reshape(_shape(shape)) if shape is not None else picked
        raise Refused("holds a chumpy expression instead of plain values")


class _Encoded(_Inert):
    """`_codecs.encode`, the way in which Python 2 protocols of Python 3 write bytes. Encoded only when it is looked at:
    one long text that is encoded a thousand times over would fill the memory."""

    def value(self) -> bytes:
        return _encode(*self.arguments)


def _encode(text: Any, encoding: Any = "latin1", *_: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("encodes text in an unusual way")
    return text.encode("latin1")


def _reconstructor(cls: Any, base: Any, state: Any) -> Any:
    """`copy_reg._reconstructor`: an empty object of a class."""
    if not (isinstance(cls, type) and issubclass(cls, (_Sparse, _Chumpy)) and base is _Object and state is None):
        raise Refused("makes an object in an unusual way")
    return cls()


class _Call:
    """One of our functions as a value that the file can call but not change."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise Refused("changes a function")

    def __setstate__(self, state: Any) -> NoReturn:
        raise Refused("changes a function")


_SCIPY = ("scipy.sparse.csc", "scipy.sparse._csc", "scipy.sparse.csr", "scipy.sparse._csr")
_ALLOWED: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Frombuffer for core in ("core", "_core")},
    ("numpy", "ndarray"): _NdarrayType,
    ("numpy", "dtype"): _Dtype,
    **{(module, f"{module[-3:]}_{kind}"): _Sparse for module in _SCIPY[:2] for kind in ("matrix", "array")},
    **{(module, f"{module[-3:]}_{kind}"): _SparseRows for module in _SCIPY[2:] for kind in ("matrix", "array")},
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _Chumpy,
    ("_codecs", "encode"): _Encoded,
    ("copy_reg", "_reconstructor"): _Call(_reconstructor),
    ("copyreg", "_reconstructor"): _Call(_reconstructor),
    ("__builtin__", "object"): _Object,
    ("builtins", "object"): _Object,
    ("__builtin__", "set"): _Set,
    ("builtins", "set"): _Set,
}
"""Every name that a file may use, and the inert thing that it gets."""

# Opcodes that no model file needs: persistent ids, the extension registry, old-style instances, foreign buffers, and
# calls with keywords.
_FORBIDDEN = (
    pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX,
    pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
)  # fmt: skip


class _Unpickler(pickle._Unpickler):  # type: ignore[name-defined, misc, unused-ignore]
    """The unpickler in Python, whose memo and buffers grow only with what the file really holds."""

    dispatch: ClassVar[dict[int, Any]] = {
        code: handler
        for code, handler in pickle._Unpickler.dispatch.items()  # type: ignore[attr-defined, unused-ignore]
        if bytes([code]) not in _FORBIDDEN
    }

    read: Callable[[int], bytes]  # both are made by `load`
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise Refused(f"names {told(f'{module}.{name}', 200)}") from None

    def _bytearray(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        if size > _MOST_BYTES:
            raise Refused("claims a buffer that is too large")
        self.append(bytes(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = _bytearray

    # Keys are compared by their hash, and that of a tuple of one tuple twice, forty times over, takes for ever.

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_key(key)] = value

    dispatch[pickle.SETITEM[0]] = _setitem

    def _setitems(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][_key(key)] = value

    dispatch[pickle.SETITEMS[0]] = _setitems

    def _dict(self) -> None:
        items = self.pop_mark()
        self.append({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    dispatch[pickle.DICT[0]] = _dict

    def _additems(self) -> None:
        items = self.pop_mark()
        self.stack[-1].update(_key(item) for item in items)

    dispatch[pickle.ADDITEMS[0]] = _additems

    def _frozenset(self) -> None:
        self.append(frozenset(_key(item) for item in self.pop_mark()))

    dispatch[pickle.FROZENSET[0]] = _frozenset


def read_pickle(raw: bytes, shown: str) -> dict[str, Any]:
    """The dictionary that a pickled model holds; arrays, sparse and chumpy ones included, as plain numpy arrays.

    Args:
        raw: the file's content.
        shown: the file's name, for messages.

    Returns:
        Values by name. Values that are no numbers, texts or arrays are left out.

    Raises:
        AssetError: the file is no pickle of a dictionary, is damaged, or asks for anything but data.
    """
    try:
        loaded = _Unpickler(io.BytesIO(raw), encoding="latin1").load()
        if not isinstance(loaded, dict):
            raise Refused("holds no dictionary")
        return _counted({str(key): value for key, value in loaded.items() if _is_data(value)})
    except Refused as error:
        raise AssetError(
            f"{shown} was refused because it {error}, which no head model needs; get it from its publisher."
        ) from error
    except (Exception, MemoryError, RecursionError) as error:  # damaged programs fail in any way they like
        reason = told(f"{type(error).__name__}: {error}", 120)
        raise AssetError(f"{shown} cannot be read as a pickle ({reason}); get a fresh copy.") from error


def plain(value: Any) -> Any:
    """What an inert object stands for."""
    return (
        value.value()
        if isinstance(value, (_Dtype, _Array, _Frombuffer, _Scalar, _Sparse, _Chumpy, _Encoded))
        else value
    )


def _plain_array(value: Any) -> NDArray[Any]:
    """Never of lists: one that holds another twice, forty times over, is an array without end."""
    value = plain(value)
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        raise Refused("holds something else than an array")
    return np.asarray(value)


def _counted(values: dict[str, Any]) -> dict[str, Any]:
    """The plain values; one that many names share is made once, and all together have a limit."""
    made: dict[int, Any] = {}
    left = _MOST_BYTES
    for value in values.values():
        if id(value) not in made:
            made[id(value)] = plain(value)
            left -= getattr(made[id(value)], "nbytes", 0)
            if left < 0:
                raise Refused("holds too much")
    return {name: made[id(value)] for name, value in values.items()}


def _key(key: Any) -> Any:
    if not isinstance(key, (str, bytes, int, float)):
        raise Refused("names its values by something else than texts and numbers")
    return key


def _is_data(value: Any) -> bool:
    return isinstance(value, (int, float, str, bytes, _Array, _Frombuffer, _Scalar, _Sparse, _Chumpy))


def _shape(shape: Any, dimensions: int | None = None) -> tuple[int, ...]:
    shape = plain(shape)
    shape = tuple(plain(n) for n in shape) if isinstance(shape, (tuple, list, np.ndarray)) else (shape,)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and 0 <= n < 2**31 for n in shape)
    if not whole or len(shape) > _MOST_DIMENSIONS or (dimensions is not None and len(shape) != dimensions):
        raise Refused("holds an array of no proper shape")
    return tuple(int(n) for n in shape)


def _array(raw: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    raw = plain(raw)
    if not isinstance(dtype, _Dtype) or not isinstance(raw, (bytes, str)) or order not in ("C", "F"):
        raise Refused("holds an array without content")
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    kind, size = dtype.value(), _shape(shape)
    count = 1
    for n in size:
        count *= n
    if count * kind.itemsize != len(data):
        raise Refused("holds an array whose size and content differ")
    return np.frombuffer(data, kind).reshape(size, order=order).astype(kind.newbyteorder("="))
