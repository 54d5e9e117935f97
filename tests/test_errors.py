"""What a file says of itself, in sentences for a terminal."""

from __future__ import annotations

import pytest

from zero1toa.cli import main
from zero1toa.errors import told


@pytest.mark.parametrize(
    ("said", "shown"),
    [("plain", "plain"), ("\x1b[2Jgone\r\n", "?[2Jgone??"), ("a\u202eb\x9b", "a?b?"), ("x" * 99, "x" * 80 + "..."),
     (None, "None"),
     ([1, "\n"], "[1, '\\n']")],
)  # fmt: skip
def test_what_is_told_is_one_printable_line(said, shown):
    assert told(said) == shown


def test_a_name_cannot_steer_the_terminal(tmp_path, capsys):
    path = tmp_path / "list.csv"
    path.write_text('photo,"\x1b[31mseed\n\x1b]0;title\x07"\na.jpg,1\n')
    assert main(["batch", str(path), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\x07" not in said and said.count("\n") == 1
    assert main(["render", str(tmp_path / "\x1b[31m.glb")]) == 2
    assert "\x1b" not in capsys.readouterr().err
