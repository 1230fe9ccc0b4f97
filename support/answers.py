"""Which responses are believed: in time, not too large, and for a flag a whole GIF."""

import time

import httpx

from support.console import printable

MAX_SIZE = 10_000_000  # bytes
MAX_TIME = 10.0  # seconds from a request to the last part of its response
GIF_SIGNATURES = (b'GIF87a', b'GIF89a')
GIF_TRAILER, GIF_IMAGE, GIF_EXTENSION = b';,!'
PADDING = b'\0 \t\n\r\f\v'  # which some programs leave behind a GIF

not_found: list[str] = []  # URLs, for the report of a run that is interrupted


def check_progress(body: bytearray, start: float) -> None:
    """Raise httpx.DecodingError if a body is too large, httpx.ReadTimeout if it trickles.

    The request was sent at start, as of time.monotonic().
    """
    if len(body) > MAX_SIZE:
        raise httpx.DecodingError(f'more than {MAX_SIZE:,} bytes')
    if time.monotonic() - start > MAX_TIME:
        raise httpx.ReadTimeout('')


def with_body(response: httpx.Response, body: bytearray) -> httpx.Response:
    """Return the response, whose body has come, with a reason that terminals can show.

    Nobody has asked for a packed body, and there is no telling how large it would become.
    """
    coding = response.headers.pop('content-encoding', '')
    response.extensions['coding'] = coding.lower()
    response.stream = httpx.ByteStream(bytes(body))
    response.extensions['reason_phrase'] = printable(response.reason_phrase).encode()
    return response


def checked(url: httpx.URL | str, response: httpx.Response) -> httpx.Response:
    """Return a response; raise httpx.DecodingError if it should be a flag, and is none.

    A server that answers everything may send a login page instead, or an application.
    """
    if response.status_code == httpx.codes.NOT_FOUND:
        not_found.append(str(url))
    is_flag = response.is_success and str(url).partition('?')[0].endswith('.gif')
    if is_flag and (flaw := flaw_of_gif(response)):
        raise httpx.DecodingError(f'not a GIF ({flaw})', request=response.request)
    return response


def flaw_of_gif(response: httpx.Response) -> str:
    """Return what a successful response is instead of a whole GIF, or '' if it is one."""
    if response.status_code != httpx.codes.OK:
        return f'{response.status_code} {response.reason_phrase}'
    if not response.content.startswith(GIF_SIGNATURES):
        media_type = response.headers.get('content-type', 'no type').partition(';')[0]
        kind = response.extensions['coding'] or media_type
        return kind if response.content else 'empty'
    rest = rest_behind_gif(response.content)
    if rest is None:
        return 'cut short'
    rest = rest.strip(PADDING)
    return f'{len(rest)} bytes behind its end' if rest else ''


def rest_behind_gif(content: bytes) -> bytes | None:
    """Return what follows the trailer of a GIF, or None if it has none.

    Its blocks are those of https://www.w3.org/Graphics/GIF/spec-gif89a.txt.
    """

    def after_table(packed: int, place: int) -> int:
        """Return the place behind a table of colours, if there is one."""
        return place + (3 * 2 ** (packed % 8 + 1) if packed & 0x80 else 0)

    def after_data(place: int) -> int:
        """Return the place behind some blocks of data, the last of which is empty."""
        while size := content[place]:
            place += size + 1
        return place + 1

    try:
        place = after_table(content[10], 13)
        while (kind := content[place]) != GIF_TRAILER:
            if kind == GIF_IMAGE:
                place = after_data(after_table(content[place + 9], place + 10) + 1)
            elif kind == GIF_EXTENSION:
                place = after_data(place + 2)
            else:
                return None
    except IndexError:
        return None
    return content[place + 1 :]
