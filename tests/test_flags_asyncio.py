"""The script with coroutines."""

from promises import FlagsPromises

import flags_asyncio


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = 'flags_asyncio.py'


def test_no_codes_are_no_downloads() -> None:
    assert flags_asyncio.download_many([]) == 0
