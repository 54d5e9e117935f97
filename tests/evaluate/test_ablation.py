import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from zero1toa.evaluate.ablation import (
    ABLATION_CONFIG,
    TRUTH,
    VARIANTS,
    VIDEO,
    AblationPlan,
    AblationResult,
    Row,
    Trial,
    run_ablation,
    variant_config,
)
from zero1toa.evaluate.ablation_report import COLUMNS, comma_separated, markdown, plot, sheet, summarize, write_report
from zero1toa.priors.subjects import single

SMALL = replace(ABLATION_CONFIG, size=32)
PLAN = AblationPlan(
    subjects=(3,), variants=("full", "SDS"), size=64, texture_size=128, landmarks=False, config=SMALL
)  # fmt: skip


class Painted:
    """Renders the truth, darkened."""

    def __init__(self, subject, light):
        self.subject, self.light = subject, light

    def render(self, camera=None, expression=None, pose=None, background=None):
        video = self.subject.video(single(camera, expression)._replace(poses=pose[None]))
        straight = video.frames / video.alpha.clamp_min(1e-6) * self.light
        return np.concatenate([straight[0].permute(1, 2, 0), video.alpha[0].permute(1, 2, 0)], -1)


def stub(subject, variant, seed):
    return Painted(subject, {"full": 0.95, "SDS": 0.8}[variant] - 0.01 * seed)


@pytest.fixture(scope="module")
def result():
    return run_ablation(replace(PLAN, seeds=(0, 1)), stub)


def test_every_variant_and_the_video_model_are_measured(result):
    assert [(r.variant, r.seed) for r in result.rows] == [
        (name, seed) for seed in (0, 1) for name in (VIDEO, "full", "SDS")
    ]
    for row in result.rows:
        measured = {m for m, v in row.measures.items() if np.isfinite(v)}
        assert measured == {"psnr", "psnr_front", "psnr_side", "ssim", "iou", "spread", "flicker"}


def test_what_is_nearer_to_the_truth_scores_better(result):
    full, sds = (next(r for r in result.rows if r.variant == v).measures for v in ("full", "SDS"))
    assert full["psnr"] > sds["psnr"] + 6 and full["ssim"] > sds["ssim"]


def test_the_truth_itself_is_perfect(subject):
    trial = Trial(subject, PLAN)
    measures = trial.measure(trial.truths)
    assert measures["psnr"] == float("inf") and measures["ssim"] == pytest.approx(1) and measures["iou"] == 1
    assert measures["spread"] < 0.02


def test_held_out_views_depend_on_the_subject_alone(subject):
    first, second = Trial(subject, PLAN), Trial(subject, replace(PLAN, seeds=(5,)))
    np.testing.assert_array_equal(first.drives[0].expressions, second.drives[0].expressions)
    assert first.drives[0].expressions.abs().sum() > 0


def test_clothes_and_what_is_finer_than_the_training_pictures_do_not_count(subject):
    trial = Trial(subject, PLAN)
    views, sweep = trial.truths
    frames = views.frames.clone()
    frames[:, :, 58:] = 0  # the lowest rows show the chest
    frames[:, :, 1::2] -= 0.02  # a pattern of single pixels
    frames[:, :, 0::2] += 0.02
    changed = views._replace(frames=frames.clamp(0, 1))
    measures = trial.measure((changed, sweep))
    assert measures["psnr"] > 40
    frames[:, :, 20:30] = 0
    assert trial.measure((views._replace(frames=frames.clamp(0, 1)), sweep))["psnr"] < 25


def test_landmarks_are_read_from_render_and_truth(subject):
    trial = Trial(subject, replace(PLAN, landmarks=True, size=256))
    measures = trial.measure(trial.truths)
    assert measures["found"] > 0.8
    assert measures["landmarks_truth"] == 0
    assert 0 < measures["landmarks"] < 15


def test_variants_change_their_switch_and_nothing_else():
    base = ABLATION_CONFIG
    configs = {name: variant_config(base, name) for name in VARIANTS}
    assert configs["full"] == base
    assert configs["one-time dataset"] == replace(base, guidance="once")
    assert configs["SDS"] == replace(base, guidance="sds")
    for name, switch in (("no progressive", "progressive"), ("no spatial", "spatial"), ("no temporal", "temporal")):
        assert configs[name] == replace(base, curriculum=replace(base.curriculum, **{switch: False}))
    with pytest.raises(KeyError):
        variant_config(base, "magic")


def rows_of(table):
    """From {(variant, subject, seed): psnr}."""
    rest = dict.fromkeys(COLUMNS, float("nan"))
    return [Row(s, v, seed, rest | {"psnr": value}) for (v, s, seed), value in table.items()]


def test_means_spread_and_paired_differences_by_hand():
    rows = rows_of({
        ("full", 0, 0): 30, ("full", 1, 0): 20, ("full", 0, 1): 32, ("full", 1, 1): 22,
        ("SDS", 0, 0): 29, ("SDS", 1, 0): 18, ("SDS", 0, 1): 31, ("SDS", 1, 1): float("nan"),
    })  # fmt: skip
    summary = summarize(rows)
    full, sds = summary["full"]["psnr"], summary["SDS"]["psnr"]
    assert full.mean == 26 and full.deviation == pytest.approx(np.sqrt(2))
    assert sds.mean == 26
    assert sds.gain == pytest.approx(-4 / 3) and sds.error == pytest.approx(np.std([-1, -2, -1], ddof=1) / np.sqrt(3))
    assert np.isnan(summary["SDS"]["ssim"].mean)


def test_the_table_as_text(result):
    text = markdown(result.rows)
    assert "1 subjects and 2 seeds" in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0][2:] for line in lines] == ["variant", "full", "SDS", VIDEO, "variant", "SDS", VIDEO]
    width = {line.count("|") for line in lines}
    assert width == {len(COLUMNS) + 2}
    assert "±" in lines[1] and "nan" not in text


def test_the_rows_as_csv(result):
    table = list(csv.DictReader(io.StringIO(comma_separated(result.rows))))
    assert len(table) == len(result.rows) and table[1]["variant"] == "full"
    assert float(table[1]["psnr"]) == pytest.approx(result.rows[1].measures["psnr"], rel=1e-5)
    assert table[1]["landmarks"] == ""


def test_a_report_is_written(result, tmp_path):
    written = write_report(tmp_path, result)
    assert [p.name for p in written] == ["table.md", "rows.csv", "rows.json", "plot.png", "subject-3.png"]
    assert all(p.stat().st_size > 100 for p in written)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows[0]["landmarks"] is None and rows[1]["variant"] == "full"


def test_the_sheet_has_a_row_for_the_truth_and_each_variant(result):
    assert list(result.pictures[3]) == [TRUTH, VIDEO, "full", "SDS"]
    picture = sheet(3, result.pictures[3])
    assert picture.shape[0] > 4 * 64 and picture.shape[1] > 8 * 64
    assert plot(result.rows).shape[2] == 3


def test_an_interrupted_run_leaves_what_it_has(tmp_path):
    def interrupted(subject, variant, seed):
        if variant == "SDS":
            raise KeyboardInterrupt
        return stub(subject, variant, seed)

    partial = AblationResult()
    with pytest.raises(KeyboardInterrupt):
        run_ablation(PLAN, interrupted, result=partial)
    assert [r.variant for r in partial.rows] == [VIDEO, "full"]
    assert write_report(tmp_path, partial)
