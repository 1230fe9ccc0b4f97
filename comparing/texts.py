"""Text that standard output can show: in its encoding, and in the columns of a terminal."""

import sys
from collections.abc import Sequence
from unicodedata import combining, east_asian_width

BLOCKS = ' ▏▎▍▌▋▊▉█'
ASCII_BLOCKS = ' #'
PLAIN = {'×': 'x', '±': '+-', '…': '...'}


def can_show(text: str) -> bool:
    """Return whether standard output can encode a text."""
    try:
        text.encode(getattr(sys.stdout, 'encoding', None) or 'utf-8')  # a StringIO takes any text
    except UnicodeEncodeError:
        return False
    return True


def blocks() -> str:
    """Return the characters to draw bars with."""
    return BLOCKS if can_show(BLOCKS) else ASCII_BLOCKS


def fit(text: str) -> str:
    """Return a text with substitutes for characters that cannot be shown."""
    return ''.join(each if can_show(each) else PLAIN.get(each, '?') for each in text)


def columns(text: str) -> int:
    """Return how many columns a text takes: a Chinese character, for example, takes two."""
    return sum(1 + (east_asian_width(each) in 'WF') - bool(combining(each)) for each in text)


def width_of(texts: Sequence[str]) -> int:
    """Return how many columns the widest text takes."""
    return max(map(columns, texts), default=0)


def shortened(text: str, width: int) -> str:
    """Return a text without its middle if it takes more columns than the width."""
    if columns(text) <= width:
        return text
    left, right = text[: len(text) // 2], text[len(text) // 2 :]
    while columns(left) > width // 2:
        left = left[:-1]
    while columns(right) > (width - 1) // 2:
        right = right[1:]
    return f'{left}…{right}'
