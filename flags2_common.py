"""What the scripts of the flags2 series share: all but how several downloads run at once.

The command line becomes a list of country codes and a base URL. A script's download_many
turns these into counts of each DownloadStatus, with the help of a Tally, which also shows
how far it is. The counts make the report and the exit status.
"""

import argparse
import string
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Self

import httpx
from tqdm import tqdm

from flags import DEST_DIR, POP20_CC, save_flag
from support import clients, interrupts, servers
from support.console import complain, fail, plural, say
from support.measures import hand_over
from support.servers import SERVERS

DEFAULT_SERVER = 'LOCAL'
COUNTRY_CODES_FILE = Path(__file__).resolve().with_name('country_codes.txt')
MAX_LISTED = 10  # the report names more codes than this by the first and the last
MAX_REMOTE_REQ = 30  # that site belongs to somebody
A_Z = string.ascii_uppercase


class DownloadStatus(Enum):
    """How a download ended."""

    OK = auto()
    NOT_FOUND = auto()
    ERROR = auto()


Downloader = Callable[[list[str], str, bool, int], Counter[DownloadStatus]]


def main(download_many: Downloader, default_concur_req: int, max_concur_req: int) -> None:
    """Download what the command line asks for, and report.

    Exit with status 1 if any download ended in an error.
    """
    args, cc_list = process_args(default_concur_req)
    try:
        with interrupts.handled(), servers.running(args.server) as base_url:
            DEST_DIR.mkdir(exist_ok=True)
            actual_req = min(args.max_req, max_concur_req, len(cc_list))
            if servers.is_remote(base_url) and actual_req > MAX_REMOTE_REQ:
                actual_req = MAX_REMOTE_REQ
                complain(f'no more than {actual_req} requests at a time, as that site is public')
            initial_report(cc_list, actual_req, args.server, base_url)
            clients.prepare(base_url)
            start_time = time.perf_counter()
            counter = download_many(cc_list, base_url, args.verbose, actual_req)
            interrupts.set_last_words(None)
            final_report(cc_list, counter, start_time)
    except (OSError, servers.ServerError) as exc:
        fail(clients.describe(exc))
    if counter[DownloadStatus.ERROR]:
        sys.exit(1)


def process_args(
    default_concur_req: int, argv: list[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """Return what argv, by default the command line, says, and the codes it stands for.

    Exit with status 2 if it makes no sense.
    """
    parser = argument_parser(default_concur_req)
    args = parser.parse_args(argv)
    try:
        return args, expand_cc_args(args.every, args.all, args.cc, args.limit)
    except ValueError as exc:
        parser.error(str(exc))


def argument_parser(default_concur_req: int) -> argparse.ArgumentParser:
    """Return the parser of the command line that the whole series has."""
    parser = argparse.ArgumentParser(
        description='Download flags for country codes. Default: top 20 countries by population.'
    )
    add = parser.add_argument
    add('cc', metavar='CC', nargs='*', help='country code or 1st letter (eg. B for BA...BZ)')
    add('-a', '--all', action='store_true', help='get all available flags (AD to ZW)')
    add('-e', '--every', action='store_true', help='get flags for every possible code (AA...ZZ)')
    add(
        '-l',
        '--limit',
        metavar='N',
        type=positive,
        default=sys.maxsize,
        help='limit to N first codes',
    )
    add(
        '-m',
        '--max_req',
        metavar='CONCURRENT',
        type=positive,
        default=default_concur_req,
        help='maximum concurrent requests (default=%(default)s)',
    )
    servers.add_server_option(parser, DEFAULT_SERVER)
    add('-v', '--verbose', action='store_true', help='output detailed progress info')
    return parser


def positive(text: str) -> int:
    """Return a number above zero: a type for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is not above zero')
    return number


def expand_cc_args(every_cc: bool, all_cc: bool, cc_args: list[str], limit: int) -> list[str]:
    """Return the first codes, in alphabetical order, of those that the arguments stand for.

    Raise ValueError for an argument that is neither a letter nor two.

    >>> expand_cc_args(False, False, ['us', 'b', 'us'], 3)
    ['BA', 'BB', 'BC']
    """
    if every_cc:
        codes = {cc for letter in A_Z for cc in expand_cc(letter)}
    elif all_cc:
        codes = set(COUNTRY_CODES_FILE.read_text('ascii').split())
    else:
        codes = {cc for arg in cc_args for cc in expand_cc(arg)} or set(POP20_CC)
    return sorted(codes)[:limit]


def expand_cc(arg: str) -> list[str]:
    """Return the code that arg is, or all codes with that first letter."""
    match list(arg.upper()):
        case [first, second] if first in A_Z and second in A_Z and arg.isascii():
            return [first + second]
        case [first] if first in A_Z and arg.isascii():
            return [first + second for second in A_Z]
    raise ValueError(f'{arg!r} is not a country code from AA to ZZ, nor its first letter')


def initial_report(cc_list: list[str], actual_req: int, server: str, base_url: str) -> None:
    """Print what is going to be downloaded, and from where."""
    label = server if server in SERVERS else 'URL'
    codes = ', '.join(cc_list)
    if len(cc_list) > MAX_LISTED:
        codes = f'from {cc_list[0]} to {cc_list[-1]}'
    say(f'{label} site: {base_url}')
    say(f'Searching for {plural(len(cc_list), "flag")}: {codes}')
    say(f'{plural(actual_req, "concurrent connection")} will be used.')


def final_report(cc_list: list[str], counter: Counter[DownloadStatus], start_time: float) -> None:
    """Print what came of it; start_time is as of time.perf_counter(), in seconds."""
    elapsed = time.perf_counter() - start_time
    cancelled = len(cc_list) - counter.total()
    say('-' * 20)
    say(f'{plural(counter[DownloadStatus.OK], "flag")} downloaded.')
    if missing := counter[DownloadStatus.NOT_FOUND]:
        say(f'{missing} not found.')
    if errors := counter[DownloadStatus.ERROR]:
        say(f'{plural(errors, "error")}.')
    if cancelled:
        say(f'{cancelled} cancelled.')
    say(f'Elapsed time: {elapsed:.2f}s')
    if not cancelled:
        hand_over(elapsed)


def saved(cc: str, image: bytes, verbose: bool) -> DownloadStatus:
    """Save a flag; return OK. Raise OSError if it cannot be saved."""
    save_flag(image, f'{cc}.gif')
    if verbose:
        say(f'{cc} OK')
    return DownloadStatus.OK


def not_found(cc: str, error: httpx.HTTPStatusError, verbose: bool) -> DownloadStatus:
    """Return NOT_FOUND if that is what the error says, otherwise raise it."""
    if error.response.status_code != HTTPStatus.NOT_FOUND:
        raise error
    if verbose:
        say(f'{cc} not found: {error.response.url}')
    return DownloadStatus.NOT_FOUND


class Tally:
    """Counts how downloads end, and shows how many have: a bar, unless verbose."""

    def __init__(self, cc_list: list[str], verbose: bool) -> None:
        """Expect an outcome for each code."""
        self.verbose = verbose
        self.counter: Counter[DownloadStatus] = Counter()
        self.bar_lock = threading.RLock()
        tqdm.set_lock(self.bar_lock)  # the default one serves processes too, and is large
        self.bar = tqdm(total=len(cc_list), disable=verbose or not sys.stderr)
        interrupts.set_last_words(partial(final_report, cc_list, self.counter, time.perf_counter()))

    def __enter__(self) -> Self:
        """Return this tally; the bar is already there."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar where it is."""
        self.bar.close()

    def count(self, status: DownloadStatus) -> None:
        """Count one outcome."""
        self.counter[status] += 1

    @contextmanager
    def errors_of(self, cc: str) -> Iterator[None]:
        """Count an error, and with verbose show it, if the block raises one.

        If a file cannot be saved, or an outcome not shown, the program has to stop. What ends
        only because of that does not count.
        """
        with interrupts.stop_on_failure():
            try:
                yield
            except interrupts.StoppedError:
                pass
            except httpx.HTTPError as exc:
                self.count(DownloadStatus.ERROR)
                if self.verbose:
                    say(f'{cc} error: {clients.describe(exc)}')
            except OSError as exc:
                self.count(DownloadStatus.ERROR)
                if not interrupts.stop(exc):
                    raise

    def advance(self, *_: object) -> None:
        """Move the bar by one; may be called in any thread, and by a future."""
        if not interrupts.is_stopping():
            with self.bar_lock:
                self.bar.update()
