"""What an avatar's file tells of how it was made."""

import subprocess
from dataclasses import fields, replace

import pytest
import torch

from zero1toa import _version
from zero1toa.config import PRESETS, CreateConfig, SettleConfig
from zero1toa.symgen.provenance import changed_options, provenance

CPU = torch.device("cpu")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_no_changed_options(preset):
    assert changed_options(PRESETS[preset]) == ""
    assert changed_options(replace(PRESETS[preset], seed=3, iterations=7, preset=f"{preset}, changed")) == ""


def test_what_differs_from_the_preset_is_named():
    config = replace(PRESETS["debug"], size=32, settle=SettleConfig(rounds=2))
    assert changed_options(config) == "size=32, settle.rounds=2"
    assert changed_options(CreateConfig(strength=0.5)) == "strength=0.5"


def test_paths_and_commands_of_the_user_stay_at_home():
    config = replace(PRESETS["fast"], prior="external", prior_command="curl -H 'key: secret' /home/me/{folder}")
    told = provenance(config, "external", CPU)
    assert told["options"] == "prior_command=(given)"
    config = replace(PRESETS["fast"], diffusion=replace(config.diffusion, weights="/home/me/weights"))
    assert changed_options(config) == "diffusion.weights=(given)"


def test_version_commit_and_every_option_are_there():
    told = provenance(PRESETS["fast"], "reprojection", CPU)
    assert told["generator"] == f"zero1toa {_version.__version__}"
    assert told["commit"] == _version.commit()
    assert told["device"] == "cpu"
    simple = {field.name for field in fields(CreateConfig) if field.name in told}
    assert simple == {"preset", "prior", "guidance", "iterations", "seed"}


def test_the_commit_is_that_of_the_checkout(tmp_path):
    (tmp_path / "src/zero1toa").mkdir(parents=True)
    file = tmp_path / "src/zero1toa/a.py"
    file.write_text("1\n")
    assert _version.git_commit(tmp_path) == ""

    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    assert _version.git_commit(tmp_path) == ""  # no commit yet
    git("add", ".")
    git("commit", "-qm", "one")
    commit = _version.git_commit(tmp_path)
    assert len(commit) >= 12 and git("rev-parse", "HEAD").startswith(commit)
    file.write_text("2\n")
    assert _version.git_commit(tmp_path) == commit + "+changes"
    assert _version.git_commit(tmp_path / "src") == ""
