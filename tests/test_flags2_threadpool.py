"""The threaded script of the second series."""

from promises import Flags2Promises


class TestPromises(Flags2Promises):
    """What all scripts of the series promise."""

    script = 'flags2_threadpool.py'
    downloads_in = 'flags2_sequential.py'
