"""What the scripts of the flags2 series share: everything but download_many.

The command line becomes a list of country codes and a base URL. The download_many of a script
downloads these flags and returns how many ended with each DownloadStatus. The counts make the
report and the exit status.
"""

import argparse
import os
import re
import string
import sys
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import httpx
from tqdm import tqdm
from tqdm.std import TqdmDefaultWriteLock  # type: ignore[attr-defined]

import flags
from flags import DEST_DIR, POP20_CC, save_flag
from support import clients, files, interrupts, servers
from support.answers import missing_urls
from support.arguments import parse, positive
from support.console import complain, description, fail, plural, tell
from support.exits import is_out_of_resources, orderly_exit
from support.servers import SERVERS
from support.sessions import changed

__all__ = [
    'DEST_DIR',
    'POP20_CC',
    'SERVERS',
    'DownloadStatus',
    'code_of',
    'main',
    'record_error',
    'save_flag',
]

DEFAULT_SERVER = 'LOCAL'
COUNTRY_CODES_FILE = Path(__file__).resolve().with_name('country_codes.txt')
MAX_LISTED = 10  # if there are more codes, the report names the first and the last
MAX_REMOTE_REQ = 30  # the book's site is a public server
OTHER_FILES = 40  # files that a script has open besides its connections
A_Z = string.ascii_uppercase


class DownloadStatus(Enum):
    """How a download ended."""

    OK = auto()
    NOT_FOUND = auto()
    ERROR = auto()


class BarLock(TqdmDefaultWriteLock):  # type: ignore[misc]
    """A lock of tqdm, whose part for processes is a semaphore: it is made if one asks for it."""

    def __init__(self) -> None:
        """Serve threads."""
        self.locks = [self.th_lock]

    @cached_property
    def mp_lock(self) -> Any:
        """The part that tqdm hands to processes."""
        import multiprocessing

        return multiprocessing.RLock()


Downloader = Callable[[list[str], str, bool, int], Counter[DownloadStatus]]

_errors: list[str] = []  # in this run, which a signal may end before download_many returns


def main(download_many: Downloader, default_concur_req: int, max_concur_req: int) -> None:
    """Download what the command line asks for, and report.

    Exit with status 1 if a download ended in an error, or did not take place.
    """
    args, cc_list = process_args(default_concur_req)
    actual_req = min(args.max_req, max_concur_req, len(cc_list))
    for earlier in (files.saved_files, _errors, missing_urls):
        earlier.clear()  # a session may have run a script before
    t0 = time.perf_counter()
    with (
        orderly_exit(lambda stdout: report_in_time(cc_list, t0, args.verbose, stdout)),
        servers.running(args.server) as base_url,
        changed(tqdm, monitor_interval=0),  # the bar needs no thread
        changed(tqdm, _lock=getattr(tqdm, '_lock', None) or BarLock()),
    ):
        make_dest_dir()
        clients.prepare(base_url)
        actual_req = limit_requests(actual_req, base_url)
        t0 = time.perf_counter()
        initial_report(cc_list, actual_req, args.server, base_url)
        counter = counts_of(download_many, cc_list, base_url, args.verbose, actual_req)
        with interrupts.run.reporting():
            counter = report(cc_list, counter, t0, args.verbose)
        if not interrupts.run.stop_signal:
            exit_unless_complete(cc_list, counter, base_url)


def counts_of(
    download_many: Downloader, cc_list: list[str], base_url: str, verbose: bool, actual_req: int
) -> Counter[DownloadStatus]:
    """Return the counts of download_many; none if it runs out of threads, files or memory."""
    try:
        return download_many(cc_list, base_url, verbose, actual_req)
    except Exception as exc:
        if interrupts.run.stop_signal or not is_out_of_resources(exc):
            raise
        shortage = description(exc)
    complain(shortage)  # below the bar, which ends with the exception
    return Counter()


def report(
    cc_list: list[str],
    counter: Counter[DownloadStatus],
    start_time: float,
    verbose: bool,
    stdout: TextIO | None = None,
) -> Counter[DownloadStatus]:
    """Print the first error, unless lines have shown it, and the report; return all counts."""
    if counter.total() < len(cc_list):
        counter = counts_so_far(counter)
    if _errors and not verbose:
        complain(_errors[0])
    final_report(cc_list, counter, start_time, stdout)
    return counter


def counts_so_far(counted: Counter[DownloadStatus]) -> Counter[DownloadStatus]:
    """Return the counts of all downloads that have ended, including those not counted yet."""
    known = {DownloadStatus.NOT_FOUND: len(missing_urls), DownloadStatus.ERROR: len(_errors)}
    return counted | Counter(known) | Counter({DownloadStatus.OK: len(files.saved_files)})


def exit_unless_complete(
    cc_list: list[str], counter: Counter[DownloadStatus], base_url: str
) -> None:
    """Exit with status 1 if a download failed or did not take place, or no flag was found."""
    if counter[DownloadStatus.ERROR] or counter.total() < len(cc_list):
        sys.exit(1)
    has_found_none = counter[DownloadStatus.NOT_FOUND] and not counter[DownloadStatus.OK]
    if has_found_none and available_codes() & set(cc_list):
        fail(f'no flags at {base_url}: {servers.NO_FLAGS}')


def report_in_time(cc_list: list[str], start_time: float, verbose: bool, stdout: TextIO) -> None:
    """Print the report of a download_many that does not return in time after a signal."""
    if list(getattr(tqdm, '_instances', [])):
        tell('')  # ends the line of the bar
    report(cc_list, Counter(), start_time, verbose, stdout)


def make_dest_dir() -> None:
    """Make the folder for downloads; fail if it is not writable."""
    DEST_DIR.mkdir(exist_ok=True)
    if not os.access(DEST_DIR, os.W_OK | os.X_OK):
        fail(f'cannot write to {DEST_DIR}')


def limit_requests(actual_req: int, base_url: str) -> int:
    """Return how many requests may run at once; say so if the user wants more."""
    most, why = (
        (files.raise_file_limit() - OTHER_FILES) // 2,
        'more files cannot be open',
    )  # each request needs two
    if most > MAX_REMOTE_REQ and servers.is_site_of_the_book(base_url):
        most, why = MAX_REMOTE_REQ, 'that site is public'
    most = max(1, most)
    if actual_req > most:
        complain(f'no more than {plural(most, "request")} at a time, as {why}')
    return min(actual_req, most)


def record_error(cc: str, error_msg: str) -> None:
    """Record an error: without -v, main shows the first one below the bar."""
    _errors.append(f'{cc}: {error_msg}')


def process_args(
    default_concur_req: int, argv: list[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """Return the options in argv, by default the command line, and the codes it stands for.

    Exit with status 2 if it is wrong.
    """
    parser = argument_parser(default_concur_req)
    args = parse(parser, argv)
    try:
        return args, expand_cc_args(args.every, args.all, args.cc, args.limit)
    except ValueError as exc:
        parser.error(str(exc))


def argument_parser(default_concur_req: int) -> argparse.ArgumentParser:
    """Return the parser of the series' command line."""
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
    is_set = SERVERS['REMOTE'] != flags.BASE_URL
    servers.add_server_option(parser, flags.BASE_URL if is_set else DEFAULT_SERVER)
    add('-v', '--verbose', action='store_true', help='output detailed progress info')
    return parser


def expand_cc_args(every_cc: bool, all_cc: bool, cc_args: list[str], limit: int) -> list[str]:
    """Return the codes that the arguments stand for, in alphabetical order, up to the limit.

    Raise ValueError for an argument that is not one or two letters, and for any beside -a or -e.

    >>> expand_cc_args(False, False, ['us', 'b', 'us'], 3)
    ['BA', 'BB', 'BC']
    """
    if cc_args and (every_cc or all_cc):
        raise ValueError('codes do not go together with -a or -e')
    if every_cc:
        codes = {cc for letter in A_Z for cc in expand_cc(letter)}
    elif all_cc:
        codes = available_codes()
    else:
        codes = {cc for arg in cc_args for cc in expand_cc(arg)} or set(POP20_CC)
    return sorted(codes)[:limit]


def expand_cc(arg: str) -> list[str]:
    """Return arg as a code, or all codes that begin with this letter."""
    match list(arg.upper()):
        case [first, second] if first in A_Z and second in A_Z and arg.isascii():
            return [first + second]
        case [first] if first in A_Z and arg.isascii():
            return [first + second for second in A_Z]
    raise ValueError(f'{arg!r} is not a country code from AA to ZZ, nor its first letter')


def available_codes() -> set[str]:
    """Return the codes that have a flag; fail if the file that lists them is missing or empty."""
    try:
        text = COUNTRY_CODES_FILE.read_text('utf-8', errors='replace')
    except OSError as exc:
        fail(description(exc))
    return set(re.findall(r'\b[A-Z]{2}\b', text)) or fail(f'no codes in {COUNTRY_CODES_FILE}')


def code_of(exc: httpx.HTTPError | OSError) -> str:
    """Return the code of the flag that could not be downloaded or saved."""
    if isinstance(exc, OSError):
        return Path(exc.filename).stem
    url = exc.request.url
    if isinstance(exc, httpx.HTTPStatusError) and exc.response.history:
        url = exc.response.history[0].url
    return Path(url.path).stem.upper()


def initial_report(cc_list: list[str], actual_req: int, server: str, base_url: str) -> None:
    """Print what will be downloaded, and from where."""
    label = server if server in SERVERS else 'URL'
    codes = ', '.join(cc_list)
    if len(cc_list) > MAX_LISTED:
        codes = f'from {cc_list[0]} to {cc_list[-1]}'
    print(f'{label} site: {base_url}')
    print(f'Searching for {plural(len(cc_list), "flag")}: {codes}')
    print(f'{plural(actual_req, "concurrent connection")} will be used.', flush=True)


def final_report(
    cc_list: list[str],
    counter: Counter[DownloadStatus],
    start_time: float,
    stdout: TextIO | None = None,
) -> None:
    """Print the counts and the elapsed time; start_time is a value of time.perf_counter()."""
    elapsed = time.perf_counter() - start_time
    lines = ['-' * 20, f'{plural(counter[DownloadStatus.OK], "flag")} downloaded.']
    if missing := counter[DownloadStatus.NOT_FOUND]:
        lines.append(f'{missing} not found.')
    if errors := counter[DownloadStatus.ERROR]:
        lines.append(f'{plural(errors, "error")}.')
    if cancelled := len(cc_list) - counter.total():
        lines.append(f'{cancelled} cancelled.')
    print(*lines, f'Elapsed time: {elapsed:.2f}s', sep='\n', file=stdout, flush=True)
