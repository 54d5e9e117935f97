"""What long work shows: a bar with figures and time left on a terminal, plain lines elsewhere, nothing when quiet.

Progress and warnings go to the standard error stream, results to the standard output.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_SECONDS_BETWEEN_LINES = 10.0


class Stage:
    """One stage of the work; made by `Progress.stage`."""

    def __init__(self, name: str, total: int | None, show: Callable[[Stage], None], clock: Callable[[], float]) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.figures: dict[str, float] = {}
        self._show = show
        self._clock = clock
        self._start = clock()
        self._first: tuple[float, int] | None = None  # seconds and steps at the first advance

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Says that `steps` more are done; `figures` (for example loss=0.012) replace those shown before."""
        self.done += steps
        self.figures.update(figures)
        if self._first is None:
            self._first = self._clock(), self.done
        self._show(self)

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return self._clock() - self._start

    @property
    def seconds_left(self) -> float | None:
        """Seconds the rest will take at the pace so far; None while that is unknown.

        The time up to the first step does not count, because that is when things are loaded and compiled.
        """
        if self.total is None or self._first is None or self.done == self._first[1]:
            return None
        pace = (self._clock() - self._first[0]) / (self.done - self._first[1])
        return pace * max(self.total - self.done, 0)

    def figures_text(self) -> str:
        """For example "loss 0.0123"."""
        return ", ".join(f"{name} {value:.4g}" for name, value in self.figures.items())


class Progress:
    """Shows the stages of a long piece of work, or nothing at all when `quiet`.

    Args:
        quiet: show neither progress nor what is said; warnings are still shown.
        output: console for results; by default the standard output.
        messages: console for progress and warnings; by default the standard error.
        clock: seconds, rising; only tests pass their own.
    """

    def __init__(
        self,
        quiet: bool = False,
        *,
        output: Console | None = None,
        messages: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.quiet = quiet
        self._output = output or Console()
        self._messages = messages or Console(stderr=True)
        self._clock = clock
        self._bars: Bars | None = None
        self._open_stages = 0

    def say(self, text: str) -> None:
        """A line about a result, for example "Wrote avatar.glb"; nothing when quiet."""
        if not self.quiet:
            self._output.print(text, markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line the user should read even when quiet."""
        self._messages.print(f"Warning: {text}", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Shows one stage while the block runs; `total` is the number of steps, None if unknown. Stages may nest."""
        if self.quiet:
            yield Stage(name, total, lambda stage: None, self._clock)
        elif self._messages.is_terminal:
            yield from self._bar(name, total)
        else:
            yield from self._lines(name, total)

    def _bar(self, name: str, total: int | None) -> Iterator[Stage]:
        if self._bars is None:
            self._bars = _bars(self._messages)
            self._bars.start()
        bars = self._bars
        self._open_stages += 1
        task = bars.add_task(name, total=total, figures="")
        stage = Stage(name, total, lambda s: bars.update(task, completed=s.done, figures=s.figures_text()), self._clock)
        try:
            yield stage
        finally:
            bars.remove_task(task)
            self._open_stages -= 1
            if self._open_stages == 0:
                bars.stop()
                self._bars = None
        self._line(_ending(stage))

    def _lines(self, name: str, total: int | None) -> Iterator[Stage]:
        shown_at = self._clock()

        def show(stage: Stage) -> None:
            nonlocal shown_at
            if self._clock() - shown_at >= _SECONDS_BETWEEN_LINES:
                shown_at = self._clock()
                self._line(_state(stage))

        stage = Stage(name, total, show, self._clock)
        self._line(f"{name} ...")
        yield stage
        self._line(_ending(stage))

    def _line(self, text: str) -> None:
        self._messages.print(text, markup=False, highlight=False, soft_wrap=True)


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _state(stage: Stage) -> str:
    parts = [f"{stage.done}/{stage.total}" if stage.total else f"{stage.done}", stage.figures_text()]
    if stage.seconds_left is not None:
        parts.append(f"{_duration(stage.seconds_left)} left")
    return f"{stage.name} " + ", ".join(part for part in parts if part)


def _ending(stage: Stage) -> str:
    figures = stage.figures_text()
    return f"{stage.name} done in {_duration(stage.seconds)}" + (f", {figures}" if figures else "")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
