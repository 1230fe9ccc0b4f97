"""The pure parts of flags2_common, and the command line."""

import re
import string
from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest
from conftest import ROOT, RunScript
from hypothesis import given
from hypothesis import strategies as st

import flags2_common
from flags import POP20_CC
from flags2_common import DownloadStatus, expand_cc_args

ALL_CC = (ROOT / 'country_codes.txt').read_text().split()
NO_LIMIT = 10**6

letters = st.sampled_from(string.ascii_letters)
cc_args = st.lists(letters | st.tuples(letters, letters).map(''.join))
not_codes = st.text().filter(
    lambda text: not (text.isascii() and text.isalpha() and len(text) in (1, 2))
)


def test_no_argument_means_the_20_most_populous_countries() -> None:
    codes = expand_cc_args(False, False, [], NO_LIMIT)
    assert codes == sorted(POP20_CC)
    assert len(codes) == 20


def test_all_means_every_country_that_has_a_flag() -> None:
    assert expand_cc_args(False, True, [], NO_LIMIT) == ALL_CC


def test_every_means_every_pair_of_letters() -> None:
    codes = expand_cc_args(True, False, [], NO_LIMIT)
    assert (codes[0], codes[-1], len(codes)) == ('AA', 'ZZ', 676)


@given(cc_args, st.integers(1, 700))
def test_codes_are_sorted_pairs_of_capitals_without_duplicates(args: list[str], limit: int) -> None:
    codes = expand_cc_args(False, False, args, limit)
    assert codes == sorted(set(codes))
    assert all(len(cc) == 2 and set(cc) <= set(string.ascii_uppercase) for cc in codes)
    assert len(codes) <= limit


@given(cc_args.filter(bool))
def test_each_argument_stands_for_what_begins_with_it(args: list[str]) -> None:
    codes = expand_cc_args(False, False, args, NO_LIMIT)
    prefixes = tuple(arg.upper() for arg in args)
    every_cc = expand_cc_args(True, False, [], NO_LIMIT)
    assert codes == [cc for cc in every_cc if cc.startswith(prefixes)]


@given(cc_args, st.integers(1, 700))
def test_a_limit_keeps_the_first_codes(args: list[str], limit: int) -> None:
    codes = expand_cc_args(False, False, args, limit)
    assert codes == expand_cc_args(False, False, args, NO_LIMIT)[:limit]


@given(cc_args, not_codes)
def test_anything_but_one_or_two_letters_is_refused(args: list[str], wrong: str) -> None:
    with pytest.raises(ValueError, match='not a country code'):
        expand_cc_args(False, False, [*args, wrong], NO_LIMIT)


@pytest.mark.parametrize(
    'args',
    [
        ['-m', '0'],
        ['-m', 'x'],
        ['-l', '-3'],
        ['-s', 'NOWHERE'],
        ['-s', 'ftp://x'],
        ['-s', 'http://'],
        ['-s', 'http://localhost:99999/flags'],
        ['B1'],
        ['BRA'],
        [''],
        ['é'],
        ['ß'],
        ['ŉ'],
        ['ﬁ'],
    ],
)
def test_bad_input_is_refused_before_anything_happens(
    run_script: RunScript, args: list[str]
) -> None:
    run = run_script('flags2_sequential.py', *args)
    assert (run.returncode, run.stdout) == (2, '')
    assert run.stderr.startswith('usage: flags2_sequential.py')
    assert run.stderr.splitlines()[-1].startswith('flags2_sequential.py: error: ')
    assert not Path('downloaded').exists()


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


def test_up_to_ten_codes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    flags2_common.initial_report(['BR', 'CN', 'US'], 3, 'URL', 'http://x/flags')
    assert capsys.readouterr().out == (
        'URL site: http://x/flags\n'
        'Searching for 3 flags: BR, CN, US\n'
        '3 concurrent connections will be used.\n'
    )


def test_more_than_ten_codes_are_a_range(capsys: pytest.CaptureFixture[str]) -> None:
    flags2_common.initial_report(ALL_CC[:11], 1, 'LOCAL', 'http://localhost:8000/flags')
    assert 'Searching for 11 flags: from AD to AZ\n' in capsys.readouterr().out


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
