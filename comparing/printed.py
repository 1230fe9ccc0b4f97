"""What a command has printed: its time, its counts, and why it failed."""

import re
import signal
from typing import IO

from support.console import printable

UNITS = {  # pattern: seconds
    r'h(?:(?:ou)?rs?)?': 3600,
    r'm(?:in(?:ute)?s?)?': 60,
    r's(?:ec(?:ond)?s?)?': 1,
    r'ms': 0.001,
}
AMOUNTS = ''.join(rf'(?:(\d{{1,9}}(?:\.\d+)?)\s*{unit}[\s,]*(?:and\s+)?)?' for unit in UNITS)
LAST_TIME = re.compile(rf'(?<![\w.,-])(?<!\d:)(?=\d){AMOUNTS}[.)\]!]*$', re.I)
MAX_TOLD = 2000  # characters of output that are shown of a command that failed
BAR = re.compile(r'\d%\|')
COUNT = re.compile(r'^(\d+) (?:flags? )?(download|not found|error|cancelled)', re.M)


class RunError(Exception):
    """A command failed, or did no work; the arguments are the reason and its output."""


def content(file: IO[bytes]) -> str:
    """Return the lines of a file as a terminal shows them, without progress bars."""
    file.seek(0)
    text = file.read().decode(errors='replace').replace('\r\n', '\n')  # Windows ends lines so
    lines = (line.rpartition('\r')[2] for line in text.split('\n'))
    return '\n'.join(line for line in lines if not BAR.search(line))


def time_of(output: str) -> float | None:
    """Return the seconds that the last line ends with, as in "20 downloads in 7.26s"."""
    last_line = output.rstrip().rpartition('\n')[2]
    found = LAST_TIME.search(last_line[-200:])
    amounts = zip(found.groups(), UNITS.values(), strict=True) if found else ()
    return sum(float(number or 0) * unit for number, unit in amounts) if found else None


def last_words(output: str, errors: str) -> str:
    """Return the last lines that a command has printed on stderr, or else on stdout."""
    text = (errors.strip() or output.strip())[-MAX_TOLD:]
    return ''.join(f'{printable(line)}\n' for line in text.splitlines())


def count_errors(output: str, errors: str, status: int) -> tuple[int, str]:
    """Return how many downloads have failed, and the message of the first failure.

    Raise RunError if the command did not do its work.
    """
    counts = {what: int(number) for number, what in COUNT.findall(output)}
    failed = counts.get('error', 0)
    failure = ''
    if status not in ((0, 1) if failed else (0,)):  # 1: some downloads failed
        by_signal = status < 0 and f'ended by {signal.Signals(-status).name}'
        failure = by_signal or f'exit status {status}'
    elif counts.get('cancelled'):
        failure = f'{counts["cancelled"]} cancelled'
    elif counts.get('download') == 0:
        failure = 'nothing was downloaded'
    if failure:
        raise RunError(failure, last_words(output, errors))
    first_error = re.search(r'^\S+\.py: (.*)', errors, re.M) if failed else None
    return failed, first_error[1] if first_error else ''
