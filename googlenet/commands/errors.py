"""What becomes of errors: one sentence, and a number for the shell."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from googlenet.sentences import sentence

FAILURE, USAGE, STOPPED = 1, 2, 130  # STOPPED is what a shell makes of Ctrl-C


class Usage(click.ClickException):
    """Something was asked for that cannot be: one sentence, without the list of options."""

    exit_code = USAGE


@contextmanager
def usage() -> Iterator[None]:
    """Take a ValueError for a mistake in what was asked for, and not for a failure.

    So is a file where a folder was asked for, and a folder that is not there or not for us.
    """
    try:
        yield
    except (ValueError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise Usage(sentence(error)) from error


@contextmanager
def plain_warnings(debug: bool = False) -> Iterator[None]:
    """Show what the loader warns of as a sentence, without the line of code that it comes from."""

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        print(f"Warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = show
        yield
