"""The flags and the codes that they are listed under."""

import pytest
from conftest import ROOT

import flags

CODES = (ROOT / 'country_codes.txt').read_text('ascii').split()
HEADERS = (b'GIF87a', b'GIF89a')
TRAILER = b'\x3b'


def gif(cc: str) -> bytes:
    """Return the content of the file for a country code."""
    return (ROOT / 'flags' / cc.lower() / f'{cc.lower()}.gif').read_bytes()


def test_194_codes_are_sorted_and_all_different() -> None:
    assert len(CODES) == 194
    assert sorted(set(CODES)) == CODES


@pytest.mark.parametrize('cc', CODES)
def test_each_code_has_a_whole_gif(cc: str) -> None:
    image = gif(cc)
    assert image.startswith(HEADERS)
    assert image.endswith(TRAILER)
    width, height = image[6:8], image[8:10]
    assert 200 <= int.from_bytes(width, 'little') <= 300
    assert 90 <= int.from_bytes(height, 'little') <= 320


def test_no_two_flags_are_the_same_file() -> None:
    assert len({gif(cc) for cc in CODES}) == len(CODES)


def test_no_flag_is_without_a_code() -> None:
    found = {path.relative_to(ROOT / 'flags') for path in ROOT.glob('flags/**/*.gif')}
    assert {str(path) for path in found} == {f'{cc}/{cc}.gif'.lower() for cc in CODES}


def test_flags_are_small() -> None:
    sizes = [len(gif(cc)) for cc in CODES]
    assert sum(sizes) < 1.5e6
    assert max(sizes) < 50_000


def test_most_populous_countries_come_in_decreasing_order_of_population() -> None:
    expected = 'CN IN US ID BR PK NG BD RU JP MX PH VN ET EG DE IR TR CD FR'.split()
    assert expected == flags.POP20_CC
    assert set(expected) <= set(CODES)
