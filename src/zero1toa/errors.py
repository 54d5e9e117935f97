"""The errors a user can cause or cure. The command line shows each as one sentence and exits with code 2."""

from __future__ import annotations


class Zero1toaError(Exception):
    """Base of every error that is not a programming mistake. Its message is one sentence: what is wrong, what to do."""


class InputError(Zero1toaError):
    """The photo, motion or option given cannot be used."""


class OutputError(Zero1toaError):
    """A result cannot be written where it was asked for."""


class BusyError(OutputError):
    """Another run is writing the same output now."""


class BatchError(Zero1toaError):
    """Some portraits of many failed; the others are done."""


class PriorError(Zero1toaError):
    """A video prior that runs outside this program failed or answered with something else than the frames asked for."""


class AssetError(Zero1toaError):
    """A data file that belongs to the package, or a file the user supplied as a model, is missing or broken."""


class MissingDependency(Zero1toaError):
    """An optional package is needed for what was asked. The message names the extra to install."""


class MissingWeights(AssetError):
    """A model's weights are not on this machine. The message names files, source, licence and size."""


def told(value: object, most: int = 80) -> str:
    """What a file says, fit to stand in a sentence: on one line, of at most so many letters, without the control
    characters that a terminal obeys."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that there is too little memory, in Python's words or in those of torch."""
    words_of = ("allocate memory", "out of memory")  # RuntimeError of the CPU's allocator, and of CUDA's
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in words_of)
    )
