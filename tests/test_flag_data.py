"""The flags and the codes that they are listed under."""

from conftest import ROOT, flag
from promises import ALL_CC

import flags

WIDTHS, HEIGHTS = range(200, 301), range(90, 321)


def is_flag(image: bytes) -> bool:
    """Tell whether an image is a whole GIF of a sensible size."""
    width, height = (int.from_bytes(image[start : start + 2], 'little') for start in (6, 8))
    is_whole = image.startswith((b'GIF87a', b'GIF89a')) and image.endswith(b';')
    return is_whole and width in WIDTHS and height in HEIGHTS


def test_194_codes_are_sorted_and_all_different() -> None:
    assert len(ALL_CC) == 194
    assert sorted(set(ALL_CC)) == ALL_CC


def test_each_code_has_a_small_whole_gif_of_its_own_and_no_flag_is_without_a_code() -> None:
    assert [cc for cc in ALL_CC if not is_flag(flag(cc))] == []
    assert len({flag(cc) for cc in ALL_CC}) == len(ALL_CC)
    found = {path.relative_to(ROOT / 'flags').as_posix() for path in ROOT.glob('flags/**/*.gif')}
    assert found == {f'{cc}/{cc}.gif'.lower() for cc in ALL_CC}
    assert max(len(flag(cc)) for cc in ALL_CC) < 50_000


def test_most_populous_countries_come_in_decreasing_order_of_population() -> None:
    expected = 'CN IN US ID BR PK NG BD RU JP MX PH VN ET EG DE IR TR CD FR'.split()
    assert expected == flags.POP20_CC
    assert set(expected) <= set(ALL_CC)
