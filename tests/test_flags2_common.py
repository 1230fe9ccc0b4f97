"""The pure parts of flags2_common, and the command line."""

import re
import string
from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest
from conftest import (
    ROOT,
    RunScript,
    Server,
    needs_posix,
    project_copy,
    with_module,
    with_sitecustomize,
)
from cpu_tools import METHODS
from endings import counts
from hypothesis import given
from hypothesis import strategies as st
from promises import ALL_CC, one_line
from raw_server import misbehaving

import flags2_common
from flags import POP20_CC
from flags2_common import DownloadStatus, expand_cc_args

NO_LIMIT = 10**6

letters = st.sampled_from(string.ascii_letters)
cc_args = st.lists(letters | st.tuples(letters, letters).map(''.join))
not_codes = st.text(string.printable + 'éßŉﬁ²１Ａ').filter(
    lambda text: not (text.isascii() and text.isalpha() and len(text) in (1, 2))
)


def test_codes_are_the_20_most_populous_countries_or_all_with_a_flag_or_every_pair() -> None:
    assert expand_cc_args(False, False, [], NO_LIMIT) == sorted(POP20_CC)
    assert expand_cc_args(False, True, [], NO_LIMIT) == ALL_CC
    every = expand_cc_args(True, False, [], NO_LIMIT)
    assert (every[0], every[-1], len(every)) == ('AA', 'ZZ', 676)


@given(cc_args.filter(bool), st.integers(1, 700))
def test_each_argument_stands_for_what_begins_with_it_up_to_a_limit(
    args: list[str], limit: int
) -> None:
    every_cc = expand_cc_args(True, False, [], NO_LIMIT)
    prefixes = tuple(arg.upper() for arg in args)
    expected = [cc for cc in every_cc if cc.startswith(prefixes)]
    assert expand_cc_args(False, False, args, limit) == expected[:limit]


@given(cc_args, not_codes)
def test_anything_but_one_or_two_letters_is_refused(args: list[str], wrong: str) -> None:
    with pytest.raises(ValueError, match='not a country code'):
        expand_cc_args(False, False, [*args, wrong], NO_LIMIT)


BAD_INPUT = [
    ['-m', '0'],
    ['-m', 'x'],
    ['-l', '-3'],
    ['-s', 'NOWHERE'],
    ['-s', 'ftp://x'],
    ['-s', 'http://'],
    ['-s', 'http://localhost:99999/flags'],
    ['-a', 'br'],
    ['-e', 'br'],
    *[[text] for text in ['B1', 'BRA', '', 'é', 'ß', 'ŉ', 'ﬁ']],
]


@pytest.mark.parametrize('args', BAD_INPUT, ids=' '.join)
def test_bad_input_is_refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        flags2_common.process_args(1, args)
    usage, *_, error = capsys.readouterr().err.splitlines()
    assert usage.startswith('usage: ')
    assert ': error: ' in error


def test_codes_may_stand_before_and_after_options() -> None:
    args, codes = flags2_common.process_args(1, ['us', '-v', 'br', '-m', '3', 'cn'])
    assert (codes, args.verbose, args.max_req) == (['BR', 'CN', 'US'], True, 3)


@pytest.mark.parametrize('content', [None, b'', b'\n'], ids=['missing', 'empty', 'blank'])
def test_list_of_codes_that_is_of_no_use_is_named(
    content: bytes | None, run_script: RunScript
) -> None:
    folder = project_copy()
    codes = folder / 'country_codes.txt'
    codes.unlink() if content is None else codes.write_bytes(content)
    run = run_script('flags2_sequential.py', '-a', folder=folder)
    assert (run.returncode, run.stdout) == (1, '')
    assert one_line('flags2_sequential.py', run.stderr)
    assert str(codes) in run.stderr


def test_list_of_codes_may_begin_with_a_byte_order_mark(
    run_script: RunScript, fast_server: Server
) -> None:
    folder = project_copy()
    (folder / 'country_codes.txt').write_text('AD\nAE\n', 'utf-8-sig')
    run = run_script('flags2_sequential.py', '-a', '-s', fast_server.url, folder=folder)
    assert '\nSearching for 2 flags: AD, AE\n' in run.stdout


SITE_OF_THE_BOOK = [
    'https://www.fluentpython.com/data/flags',
    'http://www.fluentpython.com/data/flags',
    'https://fluentpython.com/data/flags',
    'HTTPS://WWW.FluentPython.COM:443/data/flags',
    'https://www.fluentpython.com./data/flags',
]


@pytest.mark.parametrize('url', SITE_OF_THE_BOOK)
def test_at_most_30_requests_at_a_time_to_the_site_of_the_book(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert flags2_common.limit_requests(100, url) == 30
    told = 'no more than 30 requests at a time, as that site is public\n'
    assert capsys.readouterr().err.endswith(told)
    assert flags2_common.limit_requests(30, url) == 30
    assert flags2_common.limit_requests(100, 'http://notfluentpython.com/flags') == 100
    assert capsys.readouterr().err == ''


def test_limit_for_the_site_of_the_book_is_kept(run_script: RunScript) -> None:
    """Have a proxy that refuses stand between this test and that site."""
    with misbehaving('refuses') as proxy:
        run = run_script(
            'flags2_threadpool.py', '-al', 40, '-m', 40, '-s', 'REMOTE', https_proxy=proxy.url
        )
    assert '\n30 concurrent connections will be used.\n' in run.stdout
    assert counts(run.stdout) == {'downloaded': 0, 'error': 40}


def test_occupied_folder_is_told_in_one_line(run_script: RunScript, fast_server: Server) -> None:
    Path('downloaded').write_text('mine', 'utf-8')
    run = run_script('flags2_sequential.py', '-s', fast_server.url)
    assert (run.returncode, run.stdout) == (1, '')
    assert run.stderr == 'flags2_sequential.py: File exists, and is no folder: downloaded\n'
    assert Path('downloaded').read_text('utf-8') == 'mine'


INTERRUPTED_ONCE_ANNOUNCED = """
import builtins, os, signal
real_print = print
def print_and_interrupt(*args, **options):
    real_print(*args, **options)
    if 'will be used' in str(args):
        os.kill(os.getpid(), signal.SIGINT)
builtins.print = print_and_interrupt
"""


@needs_posix
def test_whoever_has_read_what_begins_gets_a_report_on_ctrl_c(
    run_script: RunScript, fast_server: Server
) -> None:
    environ = with_sitecustomize(INTERRUPTED_ONCE_ANNOUNCED)
    run = run_script('flags2_sequential.py', '-s', fast_server.url, **environ)
    assert counts(run.stdout) == {'downloaded': 0, 'cancelled': 20}
    assert (run.returncode, run.stderr) == (-2, '')


HELP = [
    'usage: flags2_threadpool.py [-h] [-a] [-e] [-l N] [-m CONCURRENT] [-s LABEL] [-v] [CC ...]',
    'Download flags for country codes. Default: top 20 countries by population.',
    'CC country code or 1st letter (eg. B for BA...BZ)',
    '-a, --all get all available flags (AD to ZW)',
    '-e, --every get flags for every possible code (AA...ZZ)',
    '-l, --limit N limit to N first codes',
    '-m, --max_req CONCURRENT maximum concurrent requests (default=30)',
    'Server to hit; one of DELAY, ERROR, LOCAL, REMOTE (default=LOCAL); case-insensitive',
    '-v, --verbose output detailed progress info',
]


def test_help_says_what_the_book_says(run_script: RunScript) -> None:
    """It names an option's argument but once since Python 3.13."""
    run = run_script('flags2_threadpool.py', '-h')
    assert run.returncode == 0
    shown = re.sub(r'(-\w) [A-Z]+, --', r'\1, --', ' '.join(run.stdout.split()))
    assert [text for text in HELP if text not in shown] == []


def test_up_to_ten_codes_are_listed_and_more_are_a_range(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags2_common.initial_report(ALL_CC[:10], 10, 'URL', 'http://x/flags')
    flags2_common.initial_report(ALL_CC[:11], 11, 'URL', 'http://x/flags')
    out = capsys.readouterr().out
    assert '\nSearching for 10 flags: AD, AE, AF, AG, AL, AM, AO, AR, AT, AU\n' in out
    assert '\nSearching for 11 flags: from AD to AZ\n' in out


def test_reports_have_the_right_number(capsys: pytest.CaptureFixture[str]) -> None:
    counter = Counter([DownloadStatus.OK, DownloadStatus.NOT_FOUND, DownloadStatus.ERROR])
    flags2_common.initial_report(['BR'], 1, 'LOCAL', 'http://localhost:8000/flags')
    flags2_common.final_report(['BR', 'ZZ', 'ZY', 'ZX'], counter, perf_counter())
    assert capsys.readouterr().out == (
        'LOCAL site: http://localhost:8000/flags\n'
        'Searching for 1 flag: BR\n'
        '1 concurrent connection will be used.\n'
        '--------------------\n'
        '1 flag downloaded.\n'
        '1 not found.\n'
        '1 error.\n'
        '1 cancelled.\n'
        'Elapsed time: 0.00s\n'
    )


@pytest.mark.parametrize(
    ('codes', 'report'),
    [
        ('a b c', '43 flags downloaded.\n35 not found.'),
        ('zz', '0 flags downloaded.\n1 not found.'),
    ],
)
def test_codes_without_a_flag_are_not_found_which_is_no_failure(
    codes: str, report: str, run_script: RunScript, fast_server: Server
) -> None:
    run = run_script('flags2_sequential.py', '-s', fast_server.url, *codes.split())
    assert f'\n{report}\nElapsed time: ' in run.stdout
    assert run.returncode == 0


def test_server_without_any_flag_is_told(run_script: RunScript) -> None:
    with misbehaving('answers 404') as server:
        run = run_script('flags2_sequential.py', '-s', server.url, 'br', 'zz')
    assert run.returncode == 1
    assert counts(run.stdout) == {'downloaded': 0, 'found': 2}
    assert f'no flags at {server.url}: another program, ' in run.stderr


PROCESS_MAP = """
from collections import Counter
from functools import partial
from tqdm import tqdm
from tqdm.contrib.concurrent import process_map
from flags2_common import main
from flags2_sequential import download_one

def download_with_a_bar(base_url, cc):
    return [download_one(cc, base_url) for _ in tqdm([cc])][0]

def download_many(cc_list, base_url, verbose, concur_req):
    call = partial(download_with_a_bar, base_url)
    return Counter(process_map(call, cc_list, max_workers=concur_req))

if __name__ == '__main__':
    main(download_many, 2, 2)
"""


@pytest.mark.parametrize('method', METHODS)
def test_variant_can_share_its_bar_with_processes(
    method: str, run_script: RunScript, fast_server: Server, tmp_path: Path
) -> None:
    (tmp_path / 'variant.py').write_text(PROCESS_MAP, 'utf-8')
    args = 'variant.py', 'br', 'cn', '-s', fast_server.url
    run = run_script(*args, folder=tmp_path, method=method, PYTHONPATH=str(ROOT))
    assert 'Traceback' not in run.stderr
    assert counts(run.stdout) == {'downloaded': 2}


def test_bar_needs_no_semaphore(run_script: RunScript, fast_server: Server) -> None:
    environ = with_module('_multiprocessing', 'print("semaphores are loaded")')
    run = run_script('flags2_sequential.py', 'br', '-s', fast_server.url, **environ)
    assert 'semaphores' not in run.stdout
