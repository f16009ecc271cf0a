"""What becomes of errors: one sentence, and a number for the shell."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

FAILURE, USAGE, STOPPED = 1, 2, 130  # STOPPED is what a shell makes of Ctrl-C


class Usage(click.ClickException):
    """Something was asked for that cannot be: one sentence, without the list of options."""

    exit_code = USAGE


@contextmanager
def usage() -> Iterator[None]:
    """Take a ValueError for a mistake in what was asked for, and not for a failure."""
    try:
        yield
    except ValueError as error:
        raise Usage(str(error)) from error
