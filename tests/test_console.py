"""Words for what goes wrong."""

import errno

import pytest

from support.console import reason, system_error

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
        (RuntimeError('no\nluck'), 'no luck (RuntimeError)'),
        (KeyError(), 'KeyError'),
        (OSError(errno.ENOENT, 'x', 'some/file'), 'No such file or directory: some/file'),
    ],
)
def test_reason_is_one_line(error: Exception, line: str) -> None:
    assert reason(error) == line


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (REFUSED, 'Connection refused'),
        (caused_by(REFUSED), 'Connection refused'),
        (caused_by(ExceptionGroup('all', [REFUSED] * 2)), 'Connection refused'),
        (caused_by(KeyError()), None),
    ],
)
def test_errors_of_the_system_are_found_behind_others(error: Exception, words: str | None) -> None:
    assert system_error(error) == words
