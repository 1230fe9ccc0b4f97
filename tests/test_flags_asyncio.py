"""The script with coroutines."""

from conftest import RunScript, StartServer
from promises import FlagsPromises

import flags_asyncio
from flags import POP20_CC


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = 'flags_asyncio.py'


def test_codes_are_printed_in_the_order_of_completion(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.3)
    codes = run_script('flags_asyncio.py', '-s', server.url).stdout.split()[:20]
    assert sorted(codes) == sorted(POP20_CC)
    assert codes != sorted(codes)


def test_no_codes_are_no_downloads() -> None:
    assert flags_asyncio.download_many([]) == 0
