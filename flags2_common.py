"""What the scripts of the flags2 series share: all but download_many.

The command line becomes a list of country codes and a base URL. A script's download_many
turns these into counts of each DownloadStatus, which make the report and the exit status.
"""

import argparse
import os
import string
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from tqdm import TqdmMonitorWarning, tqdm

import flags
from flags import DEST_DIR, POP20_CC
from support import clients, interrupts, servers
from support.console import complain, fail, good_end, is_out_of_resources, plural, reason
from support.servers import SERVERS

__all__ = [
    'DEST_DIR',
    'POP20_CC',
    'SERVERS',
    'DownloadStatus',
    'main',
    'note_error',
    'save_flag',
    'stop_bar',
]

DEFAULT_SERVER = 'LOCAL'
COUNTRY_CODES_FILE = Path(__file__).resolve().with_name('country_codes.txt')
MAX_LISTED = 10  # the report names more codes than this by the first and the last
BOOK_SITE = SERVERS['REMOTE'].removesuffix('/data/flags')
MAX_REMOTE_REQ = 30  # that site belongs to somebody
OTHER_FILES = 40  # that a script has open
OTHER_MEMORY = 30_000_000  # bytes that a script takes besides its workers
WORKER_MEMORY = 60_000  # bytes
A_Z = string.ascii_uppercase


class DownloadStatus(Enum):
    """How a download ended."""

    OK = auto()
    NOT_FOUND = auto()
    ERROR = auto()


Downloader = Callable[[list[str], str, bool, int], Counter[DownloadStatus]]

_saved: list[str] = []
_errors: list[str] = []


def main(download_many: Downloader, default_concur_req: int, max_concur_req: int) -> None:
    """Download what the command line asks for, and report.

    Exit with status 1 if any download ended in an error.
    """
    args, cc_list = process_args(default_concur_req)
    actual_req = min(args.max_req, max_concur_req, len(cc_list))
    with good_end(), servers.running(args.server) as base_url:
        make_dest_dir()
        clients.prepare(base_url)
        warnings.simplefilter('ignore', TqdmMonitorWarning)  # a bar does without that thread
        tqdm.set_lock(threading.RLock())  # the default one serves processes too
        actual_req = limited(actual_req, base_url)
        initial_report(cc_list, actual_req, args.server, base_url)
        t0 = time.perf_counter()
        try:
            counter = download_many(cc_list, base_url, args.verbose, actual_req)
        except BaseException as exc:
            counter = Counter({DownloadStatus.OK: len(_saved)})
            if not interrupts.stop_signal:
                if not is_out_of_resources(exc):
                    raise
                _errors.insert(0, reason(exc))
        if _errors and not args.verbose:
            complain(_errors[0])
        final_report(cc_list, counter, t0)
    if _errors or counter[DownloadStatus.ERROR]:  # a script need not note what it counts
        sys.exit(1)


def make_dest_dir() -> None:
    """Make the folder for downloads; fail if nothing could be saved there."""
    DEST_DIR.mkdir(exist_ok=True)
    if not os.access(DEST_DIR, os.W_OK | os.X_OK):
        fail(f'cannot write to {DEST_DIR}')


def limited(actual_req: int, base_url: str) -> int:
    """Return how many requests may run at once; say so if these are fewer than asked for."""
    is_public = base_url.startswith(BOOK_SITE)
    most, why = min(
        (MAX_REMOTE_REQ if is_public else actual_req, 'that site is public'),
        ((most_open_files() - OTHER_FILES) // 2, 'more files cannot be open'),  # two for each
        (most_in_memory(actual_req), 'there is no memory for more'),
    )
    if actual_req > most:
        complain(f'no more than {plural(most, "request")} at a time, as {why}')
    return min(actual_req, most)


def most_in_memory(workers: int) -> int:
    """Return how many of the coroutines there is memory for: without it, Python may hang."""
    while workers > 1 and 'asyncio' in sys.modules:  # threads that lack memory do not start
        try:
            bytes(OTHER_MEMORY + workers * WORKER_MEMORY)
            break
        except MemoryError:
            workers //= 2
    return workers


def most_open_files() -> int:
    """Return how many files may be open, having asked for as many as possible."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return sys.maxsize
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems refuse what they call unlimited
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def save_flag(img: bytes, filename: str) -> None:
    """Do what the function in flags.py does, and remember it in case a count is lost."""
    flags.save_flag(img, filename)
    _saved.append(filename)


def note_error(cc: str, error_msg: str) -> None:
    """Keep an error: without -v, main tells the first one below the bar."""
    _errors.append(f'{cc}: {error_msg}')


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
    """Argparse type: a number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{text} is not above zero')
    return number


def expand_cc_args(every_cc: bool, all_cc: bool, cc_args: list[str], limit: int) -> list[str]:
    """Return the first codes, in alphabetical order, of those that the arguments stand for.

    Raise ValueError for an argument that is neither a letter nor two, or beside -a or -e.

    >>> expand_cc_args(False, False, ['us', 'b', 'us'], 3)
    ['BA', 'BB', 'BC']
    """
    if cc_args and (every_cc or all_cc):
        raise ValueError('codes do not go together with -a or -e')
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


def stop_bar(iterable: object) -> None:
    """Leave a progress bar where it is, if iterable is one; it still yields what is to come."""
    if isinstance(iterable, tqdm):
        iterable.close()


def initial_report(cc_list: list[str], actual_req: int, server: str, base_url: str) -> None:
    """Print what is going to be downloaded, and from where."""
    label = server if server in SERVERS else 'URL'
    codes = ', '.join(cc_list)
    if len(cc_list) > MAX_LISTED:
        codes = f'from {cc_list[0]} to {cc_list[-1]}'
    print(f'{label} site: {base_url}')
    print(f'Searching for {plural(len(cc_list), "flag")}: {codes}')
    print(f'{plural(actual_req, "concurrent connection")} will be used.', flush=True)


def final_report(cc_list: list[str], counter: Counter[DownloadStatus], start_time: float) -> None:
    """Print what came of it; start_time is as of time.perf_counter(), in seconds."""
    elapsed = time.perf_counter() - start_time
    print('-' * 20)
    print(f'{plural(counter[DownloadStatus.OK], "flag")} downloaded.')
    if missing := counter[DownloadStatus.NOT_FOUND]:
        print(f'{missing} not found.')
    if errors := counter[DownloadStatus.ERROR]:
        print(f'{plural(errors, "error")}.')
    if cancelled := len(cc_list) - counter.total():
        print(f'{cancelled} cancelled.')
    print(f'Elapsed time: {elapsed:.2f}s', flush=True)
