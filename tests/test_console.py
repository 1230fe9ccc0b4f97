"""Words for what goes wrong."""

import errno
import os

import pytest

from support.console import description

WORDS = 'in some other words'
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, WORDS)
TOLD = 'Connection refused' if os.name == 'posix' else WORDS
NO_FILE = 'No such file or directory'


def caused_by(cause: BaseException) -> Exception:
    """Return an error that another one has led to."""
    error = RuntimeError()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (REFUSED, TOLD),
        (caused_by(REFUSED), f'{TOLD} (RuntimeError)'),
        (caused_by(caused_by(REFUSED)), f'{TOLD} (RuntimeError)'),
        (caused_by(ExceptionGroup('all', [REFUSED] * 2)), f'{TOLD} (RuntimeError)'),
        (caused_by(KeyError()), 'RuntimeError'),
        (FileNotFoundError(errno.ENOENT, NO_FILE, 'some/file'), f'{NO_FILE}: some/file'),
        (TimeoutError(), 'timed out'),
        (RuntimeError('no\nluck\x1b[31m'), r'no luck\x1b[31m (RuntimeError)'),
    ],
)
def test_reason_is_one_line(error: Exception, line: str) -> None:
    assert description(error) == line
