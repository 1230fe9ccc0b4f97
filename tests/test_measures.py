"""What a script tells of its memory."""

from support import measures


def test_peak_memory_is_that_of_a_python_with_some_modules() -> None:
    content = bytearray(100_000_000)
    known = [measures.peak_memory(), measures.peak_memory_by_getrusage()]
    assert all(peak and len(content) < peak < 5 * len(content) for peak in known)
