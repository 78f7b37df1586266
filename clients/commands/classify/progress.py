"""The bar of a run, with rate and time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def progress(told: Console, wanted: object, total: Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """Shows the bar where somebody sees it; gives the function to call with the number of further pictures done.

    Args:
        told: the terminal.
        wanted: something true where results don't go to the terminal themselves.
        total: counts all pictures; asked only where the bar is shown.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Pictures a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f} pictures/s")

    if not (wanted and told.is_terminal) or told.quiet:
        yield lambda _: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=told, transient=True) as bar:
        task = bar.add_task("", total=total())
        yield lambda count: bar.advance(task, count)
