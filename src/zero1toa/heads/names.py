"""How head models are called: `default`, or a kind and the user's own file. No torch."""

from __future__ import annotations

from pathlib import Path

from zero1toa.errors import InputError

KINDS: dict[str, str] = {"flame": "FILE", "ict": "FOLDER", "gnm": "FILE"}
"""The word before the colon, and what comes after it."""


def head_kind(name: str) -> str:
    """`default`, or the word before the colon.

    Raises:
        InputError: there is no head model of that name.
    """
    return name if name == "default" else head_file(name)[0]


def absolute_head(name: str) -> str:
    """The same name for every process, wherever it runs.

    Raises:
        InputError: there is no head model of that name.
    """
    if name == "default":
        return name
    kind, path = head_file(name)
    return f"{kind}:{path.resolve()}"


def head_file(name: str) -> tuple[str, Path]:
    """The kind and the file of a head such as `flame:FILE`.

    Raises:
        InputError: it is of no known kind.
    """
    kind, colon, path = name.partition(":")
    if kind not in KINDS or not colon or not path:
        known = ", ".join(f"{kind}:{what}" for kind, what in KINDS.items())
        raise InputError(f"There is no head model '{name}'; use default, or one of {known}.")
    return kind, Path(path).expanduser()
