"""Words for what goes wrong."""

import errno

import pytest

from support.console import reason

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, 'in some other words')


def caused_by(cause: BaseException) -> Exception:
    """Return an error that another one has led to."""
    error = RuntimeError('no\nluck')
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (REFUSED, 'Connection refused'),
        (caused_by(REFUSED), 'Connection refused (RuntimeError)'),
        (caused_by(ExceptionGroup('all', [REFUSED] * 2)), 'Connection refused (RuntimeError)'),
        (caused_by(KeyError()), 'no luck (RuntimeError)'),
        (KeyError(), 'KeyError'),
        (OSError(errno.ENOENT, 'x', 'some/file'), 'No such file or directory: some/file'),
    ],
)
def test_reason_is_one_line_in_the_words_of_the_system(error: Exception, line: str) -> None:
    assert reason(error) == line
