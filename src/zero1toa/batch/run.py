"""A batch from beginning to end: hands portraits to an executor, tries again what may go better, keeps the books."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import OutputError
from ..files import check_output_directory, remove_leftovers_in
from ..locks import exclusive
from ..progress import Progress, Stage
from .executor import Advanced, Executor, Finished, Lost, Started
from .manifest import EVENTS, MANIFEST, Events, read_manifest, write_manifest, write_sheets
from .options import Job
from .work import FOR_GOOD, OUTPUT, RESOURCE, Row, read_row

_SECONDS_BETWEEN_MANIFESTS = 30.0  # row.json in each folder is what a restart trusts, so the manifest may lag behind
_SECONDS_TO_WAIT = 0.5  # for events
_SECONDS_BEFORE_RETRY = 5.0  # doubled each time: a full memory or a busy network needs a while
_MOST_DISK_FAILURES = 3  # in a row, after which the disk is to blame and not a portrait
_PERCENT = 100


@dataclass
class Summary:
    """How a batch went."""

    rows: list[Row]
    made: int = 0
    unchanged: int = 0
    failed: int = 0
    seconds: float = 0.0
    sheets: list[Path] = field(default_factory=list)


@dataclass
class Rules:
    """How a batch is run.

    Args:
        attempts: how often a portrait is tried that failed for what may pass.
        timeout: seconds after which a portrait is given up; None waits for ever.
        retry_after: seconds before the second attempt.
    """

    attempts: int = 3
    timeout: float | None = None
    retry_after: float = _SECONDS_BEFORE_RETRY


@dataclass
class _Running:
    job: Job
    stage: Stage
    shown: ExitStack
    since: float


class Batch:
    """One run over many portraits.

    Args:
        jobs: one for each portrait; their names differ.
        folder: for everything that is written.
        executor: who works. It is closed at the end.
        rules: of retries and time.
        progress: where to show how far it is.
        clock: seconds, rising; only tests pass their own.
    """

    def __init__(
        self,
        jobs: list[Job],
        folder: Path,
        executor: Executor,
        rules: Rules | None = None,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._executor = executor
        self._rules = rules or Rules()
        self._progress = progress or Progress(quiet=True)
        self._clock = clock
        self._jobs = {job.name: job for job in jobs}
        self._waiting = deque(jobs)
        self._later: list[tuple[float, Job]] = []
        self._running: dict[str, _Running] = {}
        self._attempts: dict[str, int] = {}
        self._rows: dict[str, Row] = {}
        self._summary = Summary([])
        self._disk_failures = 0

    def run(self) -> Summary:
        """Works until every portrait is done or has failed.

        Raises:
            OutputError: nothing can be written any more; another run works in the same folder.
        """
        try:
            check_output_directory(self.folder)
            with exclusive(self.folder / MANIFEST):
                self._run()
        except BaseException:
            self._executor.close(now=True)  # nothing to do where it has been closed in order
            raise
        self._summary.rows = list(self._rows.values())
        return self._summary

    def _run(self) -> None:
        start = self._clock()
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers_in(self.folder)
        known = {str(row.get("name")): row for row in read_manifest(self.folder)}
        self._rows = {name: self._first_row(job, known.get(name)) for name, job in self._jobs.items()}
        events = Events(self.folder / EVENTS)
        try:
            events.add("batch started", portraits=len(self._jobs), workers=self._executor.slots)
            with self._progress.stage("portraits", len(self._jobs)) as whole:
                self._loop(events, whole)
            self._executor.close()
            self._summary.sheets = write_sheets(self.folder, list(self._rows.values()))
            self._summary.seconds = self._clock() - start
            events.add(
                "batch ended",
                made=self._summary.made,
                unchanged=self._summary.unchanged,
                failed=self._summary.failed,
                seconds=round(self._summary.seconds, 1),
            )
        except BaseException as error:
            self._stop(events, error)
            raise
        finally:
            events.close()
        self._write()

    def _loop(self, events: Events, whole: Stage) -> None:
        written_at = self._clock()
        while self._waiting or self._later or self._running:
            self._hand_out()
            for event in self._executor.events(_SECONDS_TO_WAIT):
                if isinstance(event, Started):
                    events.add("started", name=event.name, worker=event.worker, attempt=self._attempts[event.name])
                elif isinstance(event, Advanced):
                    self._advance(event)
                elif isinstance(event, Finished):
                    self._finish(event.name, event.row, events, whole)
                else:
                    self._lose(event, events, whole)
            self._give_up_slow()
            if self._clock() - written_at >= _SECONDS_BETWEEN_MANIFESTS:
                self._write()
                written_at = self._clock()

    def _hand_out(self) -> None:
        now = self._clock()
        due = [job for moment, job in self._later if moment <= now]
        self._later = [(moment, job) for moment, job in self._later if moment > now]
        self._waiting.extendleft(due)
        while self._waiting and len(self._running) < self._executor.slots:
            job = self._waiting.popleft()
            self._attempts[job.name] = self._attempts.get(job.name, 0) + 1
            shown = ExitStack()
            stage = shown.enter_context(self._progress.stage(job.name, _PERCENT))
            self._running[job.name] = _Running(job, stage, shown, now)
            self._executor.submit(job)

    def _advance(self, event: Advanced) -> None:
        if (running := self._running.get(event.name)) is not None:
            running.stage.advance(max(0, round(event.share * _PERCENT) - running.stage.done))

    def _finish(self, name: str, row: Row, events: Events, whole: Stage) -> None:
        running = self._running.pop(name)
        running.shown.close()
        job, kind = running.job, str(row.get("kind", ""))
        row["attempts"] = self._attempts[name]
        failed = row["state"] != "done"
        if failed and kind not in FOR_GOOD and self._attempts[name] < self._rules.attempts:
            events.add("will be tried again", name=name, kind=kind, error=row.get("error"))
            self._again(job)
        else:
            self._rows[name] = row
            self._count(row)
            events.add("failed" if failed else "done", **_told(row))
            whole.advance(1, **{k: float(v) for k, v in (("failed", self._summary.failed),) if v})
            if failed:
                self._progress.warn(f"{job.photo}: {row.get('error', 'it failed')}")
        self._watch_disk(kind, row)

    def _lose(self, event: Lost, events: Events, whole: Stage) -> None:
        job = self._jobs[event.name]
        row: Row = {
            **self._first_row(job, read_row(job.folder)),
            "state": "failed",
            "kind": RESOURCE,
            "error": event.reason,
        }
        self._finish(event.name, row, events, whole)

    def _again(self, job: Job) -> None:
        wait = self._rules.retry_after * 2 ** (self._attempts[job.name] - 1)
        self._later.append((self._clock() + wait, job))

    def _give_up_slow(self) -> None:
        if self._rules.timeout is None:
            return
        for name, running in self._running.items():
            if self._clock() - running.since > self._rules.timeout:
                running.since = self._clock()  # it will take a moment to end
                self._attempts[name] = self._rules.attempts  # it would take as long again
                minutes = self._rules.timeout / 60
                self._executor.cancel(name, f"It took longer than {minutes:.3g} minutes; see --timeout.")

    def _count(self, row: Row) -> None:
        if row["state"] != "done":
            self._summary.failed += 1
        elif row.get("unchanged"):
            self._summary.unchanged += 1
        else:
            self._summary.made += 1

    def _watch_disk(self, kind: str, row: Row) -> None:
        """A full disk would fail all portraits that still wait; a run that stops leaves them for later."""
        self._disk_failures = self._disk_failures + 1 if kind == OUTPUT else 0
        if self._disk_failures >= _MOST_DISK_FAILURES:
            raise OutputError(f"{row['error']}")

    def _first_row(self, job: Job, known: Row | None) -> Row:
        """Of a portrait that no worker has answered for yet: what an earlier run knew, or next to nothing."""
        if known is not None and known.get("photo") == job.photo:
            return {**known, "state": known["state"] if known.get("state") in ("done", "failed") else "waiting"}
        return {
            "name": job.name,
            "photo": job.photo,
            "state": "waiting",
            "options": job.as_dict()["options"],
            "seconds": {},
            "warnings": [],
            "files": [],
        }

    def _stop(self, events: Events, error: BaseException) -> None:
        """Ends the workers and leaves true books, as far as the disk takes them."""
        try:
            self._executor.close()
        except BaseException:  # a second Ctrl-C: at once
            self._executor.close(now=True)
            raise
        finally:
            for running in self._running.values():
                running.shown.close()
            self._running.clear()
            try:
                events.add("batch stopped", reason=str(error) or type(error).__name__)
                self._write()
            except OutputError:
                pass

    def _write(self) -> None:
        rows = ({**row, "state": "running"} if name in self._running else row for name, row in self._rows.items())
        write_manifest(self.folder, rows)


def _told(row: Row) -> dict[str, object]:
    kept = ("name", "state", "kind", "error", "attempts", "unchanged", "resumed", "seconds", "warnings", "host")
    return {key: row[key] for key in kept if key in row}
