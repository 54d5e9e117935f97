"""What long work shows on a terminal, in a log, and when quiet."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zero1toa.progress import Progress


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """A `Progress` and what it has printed."""

    def __init__(self, *, quiet: bool = False, terminal: bool = False) -> None:
        self.clock = Clock()
        self._output, self._messages = io.StringIO(), io.StringIO()
        self.progress = Progress(
            quiet,
            output=Console(file=self._output, width=40),
            messages=Console(file=self._messages, force_terminal=terminal, width=120),
            clock=self.clock,
        )

    @property
    def output(self) -> str:
        return self._output.getvalue()

    @property
    def messages(self) -> str:
        return self._messages.getvalue()


def test_plain_lines_tell_the_start_the_state_every_ten_seconds_and_the_end() -> None:
    shown = Shown()
    with shown.progress.stage("train", total=300) as stage:
        for step in range(300):
            shown.clock.now += 0.125  # exact in binary
            stage.advance(1, loss=1.0 / (step + 1))
    assert shown.messages.splitlines() == [
        "train ...",
        "train 80/300, loss 0.0125, 27.5 s left",
        "train 160/300, loss 0.00625, 17.5 s left",
        "train 240/300, loss 0.004167, 7.5 s left",
        "train done in 37.5 s, loss 0.003333",
    ]
    assert shown.output == ""


def test_the_time_left_does_not_count_what_came_before_the_first_step() -> None:
    shown = Shown()
    with shown.progress.stage("train", total=100) as stage:
        shown.clock.now += 60  # compiling
        stage.advance()
        assert stage.seconds_left is None
        shown.clock.now += 2
        stage.advance(4)
        assert stage.seconds_left == 0.5 * 95


def test_plain_lines_without_a_total() -> None:
    shown = Shown()
    with shown.progress.stage("read") as stage:
        shown.clock.now += 75
        stage.advance(7)
    assert shown.messages.splitlines() == ["read ...", "read 7", "read done in 1 min 15 s"]


def test_a_stage_that_fails_is_not_called_done() -> None:
    for terminal in (False, True):
        shown = Shown(terminal=terminal)
        with pytest.raises(RuntimeError), shown.progress.stage("train", total=3):
            raise RuntimeError
        assert "done" not in shown.messages


def test_a_terminal_shows_a_bar_with_figures_that_goes_away() -> None:
    shown = Shown(terminal=True)
    with shown.progress.stage("train", total=300) as stage:
        stage.advance(150, loss=0.0125)
        shown.progress._bars.refresh()  # type: ignore[union-attr]
        assert "150/300" in shown.messages
        assert "loss 0.0125" in shown.messages
    before_erased, _, after_erased = shown.messages.rpartition("\x1b[2K")
    assert "150/300" in before_erased
    assert "150/300" not in after_erased
    assert after_erased.endswith("train done in 0.0 s, loss 0.0125\n")


def test_stages_nest_on_a_terminal_and_in_a_log() -> None:
    for terminal in (False, True):
        shown = Shown(terminal=terminal)
        with shown.progress.stage("outer", total=2) as outer:
            for name in ("first", "second"):
                with shown.progress.stage(name) as inner:
                    inner.advance()
                outer.advance()
        endings = [word for word in ("first", "second", "outer") if f"{word} done" in shown.messages]
        assert endings == ["first", "second", "outer"]


def test_a_stage_can_follow_a_stage_that_failed() -> None:
    shown = Shown(terminal=True)
    with pytest.raises(RuntimeError), shown.progress.stage("first"):
        raise RuntimeError
    with shown.progress.stage("second"):
        pass
    assert "second done" in shown.messages


def test_quiet_shows_nothing_but_warnings() -> None:
    for terminal in (False, True):
        shown = Shown(quiet=True, terminal=terminal)
        with shown.progress.stage("train", total=2) as stage:
            shown.clock.now += 60
            stage.advance(loss=1.0)
        shown.progress.say("Wrote avatar.glb")
        assert shown.output == shown.messages == ""
        shown.progress.warn("two faces were found; the larger one is used.")
        assert shown.messages == "Warning: two faces were found; the larger one is used.\n"


def test_results_are_printed_as_they_are() -> None:
    """Neither wrapped, so that a long path can be copied, nor read as markup."""
    shown = Shown()
    text = "Wrote [bold]/a/very/long/path/that/would/not/fit/on/one/line/of/forty/characters.glb"
    shown.progress.say(text)
    assert shown.output == text + "\n"
    assert shown.messages == ""
