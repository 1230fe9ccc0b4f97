"""Output that threads share, and a line for what goes wrong."""

import os
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

_in_mid_line = False


def say(text: str, end: str = '\n') -> None:
    """Print text at once and in one write, so that others cannot print into its midst.

    Raise OSError if that fails; whatever follows is discarded.
    """
    global _in_mid_line
    try:
        print(text + end, end='', flush=True)  # unlike write(), works if there is no stdout
    except OSError:
        discard_output()  # otherwise the rest in its buffer would fail again at exit
        raise
    _in_mid_line = not end.endswith('\n')


def complain(message: str) -> None:
    """Print a line on stderr that names the script."""
    with suppress(OSError):  # Ctrl-C may have ended the reader of stdout too
        if _in_mid_line:
            say('')
    print(f'{Path(sys.argv[0]).name}: {message}', file=sys.stderr)


def discard_output() -> None:
    """Let go of what cannot be written, now and at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str) -> NoReturn:
    """End the script with status 1 and a line on stderr."""
    complain(message)
    sys.exit(1)


def reason(exc: BaseException) -> str:
    """Return one line that tells what went wrong, in the operating system's words if it did."""
    text = system_error(exc) or ' '.join(str(exc).split()) or type(exc).__name__
    place = getattr(exc, 'filename', None)
    return f'{text}: {place}' if place else text


def system_error(exc: BaseException) -> str | None:
    """Return what the operating system calls the error that led to exc, if one did."""
    if isinstance(exc, BaseExceptionGroup):
        return system_error(exc.exceptions[0])
    cause = exc.__cause__ or exc.__context__
    if cause and (name := system_error(cause)):
        return name
    if isinstance(exc, ssl.SSLError):
        return str(exc)  # its number is not the system's
    if isinstance(exc, OSError) and exc.errno:
        return os.strerror(exc.errno) if exc.errno > 0 else exc.strerror
    return None


def plural(number: int, noun: str, nouns: str = '') -> str:
    """Return the number with the noun in the right form.

    >>> plural(1, 'flag'), plural(2, 'flag'), plural(2, 'process', 'processes')
    ('1 flag', '2 flags', '2 processes')
    """
    return f'{number} {noun if number == 1 else nouns or noun + "s"}'
