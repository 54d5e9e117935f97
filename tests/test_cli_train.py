"""`zero1toa train-prior` and what it makes for `create --prior mini`."""

import pytest

from zero1toa.cli import main
from zero1toa.priors.mini.train import WEIGHTS

TINY = [
    "train-prior", "--width", "tiny", "--steps", "2", "--clips", "1", "--pool", "1", "--workers", "0",
    "--held-out", "1", "--precision", "float32", "--device", "cpu", "-q",
]  # fmt: skip


def test_a_tiny_training_writes_weights_and_goes_on(tmp_path, capsys):
    output = tmp_path / "prior"
    assert main([*TINY, "-o", str(output)]) == 0
    assert {WEIGHTS, "state.pt", "losses.csv", "sheet.png"} <= {p.name for p in output.iterdir()}
    assert main([*TINY, "-o", str(output)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*TINY, "-o", str(output), "--resume"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "at least 1"),
        (["--minutes", "-1"], "cannot last"),
        (["--data", "no_such_folder"], "synthetic"),
    ],
)
def test_wrong_options_are_told(options, message, tmp_path, capsys):
    assert main([*TINY, "-o", str(tmp_path / "p"), *options]) == 2
    assert message in capsys.readouterr().err


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["train-prior", "--help"])
    assert "--minutes 120" in " ".join(capsys.readouterr().out.split())
