import pytest

from zero1toa.cli import main
from zero1toa.evaluate import ablation
from zero1toa.evaluate.ablation_report import COLUMNS


def run(capsys, *arguments):
    """Exit code, standard output, and the lines on standard error."""
    code = main([str(a) for a in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err.strip().splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--variants", "full", "magic"), "no variant 'magic'"),
        (("--subjects", 0), "at least 1"),
        (("--iterations", -3), "at least 1"),
        (("--errors", -1), "at least 0"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(arguments, words, tmp_path, capsys):
    code, _, lines = run(capsys, "evaluate", "ablation", "-o", tmp_path / "out", *arguments)
    assert code == 2 and len(lines) == 1 and words in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.fixture
def plans(monkeypatch):
    """Plans that `run_ablation` was called with; it measures one row and is then interrupted if the plan asks for two
    subjects."""
    seen = []

    def fake(plan, progress=None, result=None):
        seen.append(plan)
        picture = ablation.np.zeros((32, 32, 3), "float32")
        result.add(ablation.Row(0, "full", 0, dict.fromkeys(COLUMNS, 1.0)), [picture])
        if len(plan.subjects) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(ablation, "run_ablation", fake)
    return seen


def test_options_reach_the_plan_and_the_report_is_written(plans, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ("--subjects", 3, "--seeds", 2, "--iterations", 50, "--errors", 2, "--variants", "full", "SDS")
    code, text, _ = run(capsys, "evaluate", "ablation", "-o", out, *arguments)
    (plan,) = plans
    assert code == 0
    assert plan.subjects == (0, 1, 2) and plan.seeds == (0, 1) and plan.variants == ("full", "SDS")
    assert plan.config.iterations == 50 and plan.inconsistency == ablation.Inconsistency().scaled(2)
    assert {p.name for p in out.iterdir()} == {"table.md", "rows.csv", "rows.json", "plot.png", "subject-0.png"}
    assert "table.md" in text and "| full |" in text


def test_an_interrupted_run_is_reported(plans, tmp_path, capsys):
    code, _, _ = run(capsys, "evaluate", "ablation", "-o", tmp_path / "out", "--subjects", 2)
    assert code == 130 and (tmp_path / "out/table.md").is_file()
