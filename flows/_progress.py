"""Long work shows progress: a bar on a terminal, a line per group of stages elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable


class ConsoleProgress:
    """Progress of a run on standard error.

    Parameters
    ----------
    console
        Where to write; a console on standard error when None.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> ConsoleProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def start(self, what: str, total: int) -> None:
        """A group of stages begins, of which `total` must be computed."""
        self._current = self._bars.add_task(what, total=total, last="")
        if not self._console.is_terminal:
            self._console.print(f"{what}: {total} to compute", highlight=False)

    def advance(self, title: str) -> None:
        """One of them is done."""
        self._bars.update(self._current, advance=1, last=title)

    def counter(self, what: str) -> Callable[[int, int], None]:
        """A callback ``(done, total)`` that moves one bar."""
        bar = self._bars.add_task(what, total=None, last="")

        def tell(done: int, total: int) -> None:
            self._bars.update(bar, completed=done, total=total)

        return tell


class NoProgress:
    """Tells nobody: for dry runs."""

    def start(self, what: str, total: int) -> None:
        """A group of stages would begin."""

    def advance(self, title: str) -> None:
        """One of them would be done."""
