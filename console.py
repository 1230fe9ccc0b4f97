"""Output that several threads or processes share."""

import sys


def say(text: str, end: str = '\n') -> None:
    """Print text at once and in one write, so that others cannot print into its midst."""
    sys.stdout.write(text + end)
    sys.stdout.flush()
