"""Files that nobody vouches for: every reader reads them or says in one sentence why not, in bounded time and memory.

`ZERO1TOA_FUZZ_CASES` says how many cases hypothesis tries for each reader; the nightly command tries thousands, guided
by coverage (`campaign`).
"""

from __future__ import annotations

import os
import shutil
import warnings
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz import campaign, child
from tests.fuzz.attack_parts import WITNESS
from tests.fuzz.attacks import attacks
from tests.fuzz.mutations import mutated
from tests.fuzz.packed import SINGLE, packed, unpacked, written
from tests.fuzz.readers import READERS, Reader

from zero1toa.errors import InputError, Zero1toaError

_CASES = int(os.environ.get("ZERO1TOA_FUZZ_CASES", "25"))


@cache
def _seeds(name: str) -> list[bytes]:
    return [packed(files) for files in READERS[name].seeds()]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # an overflow that nobody looks at
        warnings.filterwarnings("ignore", "Duplicate name")  # of the fuzzer's own zips
        yield


@pytest.mark.parametrize("name", READERS)
def test_what_is_valid_is_read(name, tmp_path):
    for number, raw in enumerate(_seeds(name)):
        place = tmp_path / str(number)
        place.mkdir()
        reader = READERS[name]
        reader.check(reader.read(written(unpacked(raw), place, reader.file_name)))


@pytest.mark.parametrize("name", READERS)
def test_what_is_changed_is_read_or_refused_in_one_sentence(name, tmp_path):
    reader, place = READERS[name], tmp_path / "case"

    @settings(
        max_examples=_CASES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(random=st.randoms(use_true_random=False))
    def law(random: Random) -> None:
        raw = mutated(random.choice(_seeds(name)), random, _seeds(name))
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        path = written(unpacked(raw), place, reader.file_name)
        try:
            reader.check(reader.read(path))
        except Zero1toaError as error:
            sentence = str(error)
        else:
            return
        assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 1500

    law()


def test_what_is_made_on_purpose_is_refused_and_takes_little_memory():
    WITNESS.unlink(missing_ok=True)
    inputs = {name: made for name in READERS if (made := attacks(name))}
    harmless = {
        "picture": 3,
        "lam": 1,
        "motion_json": 1,
        "safetensors": 3,
        "clip": 1,
        "batch_list": 6,
        "video": 0,
        "glb": 0,
    }
    results = campaign.given(inputs)
    for name, made in inputs.items():
        result = results[name]
        assert result.failures == [] and result.cases == len(made), name
        assert result.read <= harmless.get(name, 0), name
        assert result.memory < child.MEMORY
    assert not WITNESS.exists()


# The law itself can be broken, and is seen to be.


def _read(path: Path) -> object:
    content = path.read_bytes()
    if content == b"key":
        raise KeyError("oh")
    if content == b"lines":
        raise InputError("two\nlines.")
    return content


@pytest.fixture
def cases(monkeypatch, tmp_path):
    monkeypatch.setitem(READERS, "planted", Reader("x", lambda: [{SINGLE: b"fine"}], _read))
    return child.Cases("planted", tmp_path)


@pytest.mark.parametrize(("content", "failures"), [(b"fine", 0), (b"key", 1), (b"lines", 1)])
def test_a_reader_that_breaks_the_law_is_told_apart(cases, content, failures):
    cases.run(packed({SINGLE: content}))
    assert len(cases.failures) == failures
    assert cases.report["cases"] == 1
    assert (cases.folder / "failures").is_dir() == bool(failures)


def test_the_same_seed_gives_the_same_changes():
    first, second = (mutated(_seeds("motion_json")[0], Random(3), _seeds("motion_json")) for _ in range(2))
    assert first == second != _seeds("motion_json")[0]


def test_several_files_there_and_back():
    files = {"a/b.txt": b"x" * 300, "é": b""}
    assert unpacked(packed(files)) == files
    assert unpacked(b"\xff" * 9) == {SINGLE: b"\xff" * 9}
