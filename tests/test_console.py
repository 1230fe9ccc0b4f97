"""Words for what goes wrong."""

import errno

import pytest

from support.console import reason

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, 'in some other words')


def caused_by(cause: BaseException) -> Exception:
    """Return an error that another one has led to."""
    error = RuntimeError()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (REFUSED, 'Connection refused'),
        (caused_by(REFUSED), 'Connection refused (RuntimeError)'),
        (caused_by(caused_by(REFUSED)), 'Connection refused (RuntimeError)'),
        (caused_by(ExceptionGroup('all', [REFUSED] * 2)), 'Connection refused (RuntimeError)'),
        (caused_by(KeyError()), 'RuntimeError'),
        (OSError(errno.ENOENT, 'x', 'some/file'), 'No such file or directory: some/file'),
        (TimeoutError(), 'timed out'),
        (RuntimeError('no\nluck\x1b[31m'), r'no luck\x1b[31m (RuntimeError)'),
    ],
)
def test_reason_is_one_line(error: Exception, line: str) -> None:
    assert reason(error) == line
