"""The page that shows the requests of slow_server.py, in a real browser."""

import base64
import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import LOCALHOST, ROOT, Server, StartServer, connect, needs_posix, wait_until

from serving.page import page as page_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

TIMES = '\N{MULTIPLICATION SIGN}'
CODES = list('br cn de eg et fr id in ir jp mx ng'.split())
BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
OPTIONS = (
    '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking '
    '--disable-component-update --disable-sync'
)
FOREIGN_PATHS = [
    'http://example.com/../../flags/br/br.gif',
    '/\\example.com/../flags/br/br.gif',
    '/flags/br/br.gif#',
]
FIRST_ROW = 57  # pixels from the top of a chart to the middle of its first row
REQUEST = {'lane': 1, 'code': 'BR', 'start': 10.0, 'end': 11.5, 'delay': 1.4, 'status': 200}


@pytest.fixture(scope='module')
def shared_page() -> Iterator['Page']:
    """Run a browser; skip the test where there is none, or no library that drives it.

    All tests use one page of it, as a new one costs more than most of what they do there.
    """
    library = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip('no Chromium is installed')
    with library.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS.split())
        yield browser.new_page(has_touch=True)
        browser.close()


@pytest.fixture
def page(shared_page: 'Page') -> Iterator['Page']:
    """Return the page, empty; it must not complain nor ask any other host in the end."""
    complaints: list[str] = []
    hosts = set()
    listeners: dict[Any, Callable[[Any], None]] = {
        'console': lambda message: complaints.append(message.text),
        'pageerror': lambda error: complaints.append(str(error)),
        'request': lambda request: hosts.add(urlsplit(request.url).hostname),
    }
    shared_page.set_viewport_size({'width': 1280, 'height': 720})
    shared_page.emulate_media(color_scheme='light', reduced_motion='no-preference')
    for event, listener in listeners.items():
        shared_page.on(event, listener)
    yield shared_page
    shared_page.goto('about:blank')
    shared_page.unroute_all()
    for event, listener in listeners.items():
        shared_page.remove_listener(event, listener)
    # a server was stopped, or a test looks at pixels
    expected = re.compile('ERR_(CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE)|willReadFrequently')
    assert [text for text in complaints if not expected.search(text)] == []
    assert hosts <= {LOCALHOST, None}


def site(server: Server) -> str:
    """Return the URL of the page."""
    return server.url.removesuffix('flags')


def download(server: Server, codes: list[str], connections: int, agent: str = 'test.py') -> None:
    """Ask for flags, over several connections at once."""

    def ask(codes: list[str]) -> None:
        with httpx.Client(base_url=server.url, headers={'User-Agent': agent}) as client:
            for cc in codes:
                client.get(f'/{cc}/{cc}.gif')

    with ThreadPoolExecutor(connections) as executor:
        list(executor.map(ask, [codes[first::connections] for first in range(connections)]))


def shown_runs(page: 'Page') -> list[dict[str, str]]:
    """Return the rows of the table of runs, each from the heads of its cells to their texts."""
    heads, *rows = page.locator('#summary tr').evaluate_all(
        'rows => rows.map(row => [...row.cells].map(cell => cell.textContent))'
    ) or [[]]
    return [dict(zip(heads, row, strict=True)) for row in rows]


def names(page: 'Page') -> list[str]:
    """Return the names of the runs, from top to bottom, without the times when they began."""
    return [re.sub(r', \d\d:\d\d:\d\d$', '', run['Run']) for run in shown_runs(page)]


def titles(page: 'Page') -> list[str]:
    """Return the titles of the charts, from top to bottom."""
    found: list[str] = page.locator('figcaption strong').all_inner_texts()
    return found


def tip_at(page: 'Page', x: float, y: float = FIRST_ROW, chart: int = 0) -> str:
    """Return what the page says of the bar at a place in a chart."""
    page.locator('figure canvas').nth(chart).hover(position={'x': x, 'y': y})
    return str(page.locator('#tip').inner_text())


def tiles(page: 'Page') -> dict[str, str]:
    """Return what is shown of the newest run."""
    titles = page.locator('#now dt').all_inner_texts()
    return dict(zip(titles, page.locator('#now dd').all_inner_texts(), strict=False))


def charts(page: 'Page') -> list[dict[str, int]]:
    """Return how many lanes and bars each chart shows, from top to bottom."""
    found: list[dict[str, str]] = page.locator('figure canvas').evaluate_all(
        'canvases => canvases.map(canvas => ({...canvas.dataset}))'
    )
    return [{name: int(number) for name, number in chart.items()} for chart in found]


def wait_for_charts(page: 'Page', *expected: tuple[int, int]) -> None:
    """Wait until the charts show these numbers of lanes and bars, from top to bottom."""
    shown = [{'lanes': lanes, 'bars': bars} for lanes, bars in expected]
    wait_until(lambda: charts(page) == shown)


def test_connections_are_lanes_and_requests_are_bars_but_pictures_are_neither(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.2, '--max-delay', 0.3)
    page.goto(site(server))
    picture = f'{server.url}/br/br.gif?picture'
    with page.expect_request_finished(lambda request: request.url == picture):
        download(server, CODES, 6)
    wait_for_charts(page, (6, 12))
    assert len(server.requests()) == len(server.lines()) == 12


def test_runs_have_charts_of_their_own_the_newest_on_top(
    page: 'Page', start_server: StartServer
) -> None:
    """Those of the same command are told apart by when they began."""
    server = start_server('--max-delay', 0)
    page.goto(site(server))
    download(server, CODES[:4], 1, 'flags.py')
    page.wait_for_timeout(1100)
    for connections, agent in [(1, 'flags.py'), (2, 'flags2.py -m 2'), (3, 'flags2.py -m 3')]:
        download(server, CODES[:6], connections, agent)
    wait_for_charts(page, (3, 6), (2, 6), (1, 6), (1, 4))
    assert names(page) == ['flags2.py -m 3', 'flags2.py -m 2', 'flags.py', 'flags.py']
    assert len(set(titles(page))) == 4
    assert titles(page) == [run['Run'] for run in shown_runs(page)]


def test_clients_at_the_same_time_have_charts_of_their_own(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.5, '--max-delay', 0.5)
    page.goto(site(server))
    with ThreadPoolExecutor(2) as executor:
        executor.submit(download, server, CODES[:4], 2, 'one.py')
        wait_until(lambda: names(page) == ['one.py'])
        executor.submit(download, server, CODES[:3], 1, 'two.py')
    wait_for_charts(page, (1, 3), (2, 4))
    assert names(page) == ['two.py', 'one.py']
    assert [run['Most in flight'] for run in shown_runs(page)] == ['1', '2']


def test_numbers_equal_those_of_the_log(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.2, '--error-rate', 0.3)
    download(server, [*CODES, 'zz', 'yy'], 4)
    requests = server.first_requests(14)
    page.goto(site(server))  # late
    wait_for_charts(page, (4, 14))
    wait_until(lambda: shown_runs(page)[0]['Eff.'] != '')  # until it is over
    (run,) = shown_runs(page)
    statuses = [request['status'] for request in requests]
    delays = [request['delay'] for request in requests]
    time = max(request['end'] for request in requests) - min(each['start'] for each in requests)
    limit = max(*delays, sum(delays) / 4)
    assert [run[head] for head in ('Requests', 'Not found', 'Errors', 'Broken off')] == [
        '14',
        str(statuses.count(404)),
        str(statuses.count(418)),
        '0',
    ]
    assert run['Most in flight'] == '4'
    assert float(run['Time'].split()[0]) == pytest.approx(time, abs=0.006)
    assert float(run['Limit'].split()[0]) == pytest.approx(limit, abs=0.006)
    assert run['Eff.'] == f'{limit / time:.2f}'
    facts = page.locator('figcaption span').inner_text()
    shown = [run['Time'].split()[0], run['Limit'].split()[0]]
    assert re.findall(r'[\d.]+', facts) == ['14', '4', '4', *shown]


def test_requests_are_shown_while_they_wait(page: 'Page', start_server: StartServer) -> None:
    """They are listed below the chart on demand."""
    server = start_server('--min-delay', 1.5, '--max-delay', 1.5)
    page.goto(site(server))
    page.get_by_text('no request yet').wait_for()
    rows = page.locator('details tbody tr')
    with ThreadPoolExecutor(1) as executor:
        executor.submit(download, server, CODES[:3], 3)
        wait_for_charts(page, (3, 3))
        waiting = tiles(page)
        page.get_by_text('Requests of test.py').click()
        wait_until(lambda: rows.count() == 3)
    assert (waiting['In flight'], waiting['Most in flight'], waiting['Done']) == ('3', '3', '0')
    wait_until(lambda: tiles(page)['Done'] == '3')
    assert tiles(page)['In flight'] == tiles(page)['Errors'] == '0'
    wait_until(lambda: rows.first.inner_text().endswith('200'))
    assert {text.split('\t')[0] for text in rows.all_inner_texts()} == {'BR', 'CN', 'DE'}


def test_client_that_hangs_up_breaks_off_a_request(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 30, '--max-delay', 30)
    page.goto(site(server))
    with connect(server.url) as client:
        client.sendall(b'GET /flags/br/br.gif HTTP/1.1\r\nHost: localhost\r\n\r\n')
        wait_for_charts(page, (1, 1))
    wait_until(lambda: tiles(page)['Broken off'] == '1')
    assert tiles(page)['Errors'] == '0'
    assert tip_at(page, 25).endswith('client gone')


def test_what_a_client_sends_stays_text_and_leads_to_no_other_host(
    page: 'Page', start_server: StartServer
) -> None:
    """The page fixture checks in the end which hosts were asked for pictures."""
    server = start_server('--min-delay', 0.1, '--max-delay', 0.1)
    page.goto(site(server))
    path, agent = '/<script>alert(1)</script>.gif', '<img src=x onerror=alert(1)>'
    with connect(server.url) as client:
        for each in [path, *FOREIGN_PATHS]:
            client.sendall(f'GET {each} HTTP/1.1\r\nUser-Agent: {agent}\r\n\r\n'.encode())
            status = b'404' if each == path else b'200'
            assert client.recv(65536).startswith(b'HTTP/1.1 ' + status)
    wait_for_charts(page, (1, 4))
    page.wait_for_timeout(500)
    assert tip_at(page, 25).startswith(f'{path}: start 0.000 s, ')
    assert page.locator('figcaption strong').inner_text().startswith(agent)
    assert names(page) == [agent]
    assert page.locator('img, script').count() == 2  # the page's own scripts


def test_page_follows_a_server_that_is_started_again(
    page: 'Page', start_server: StartServer, free_port: int
) -> None:
    server = start_server('--max-delay', 0, port=free_port)
    page.goto(site(server))
    download(server, CODES[:3], 3)
    wait_for_charts(page, (3, 3))
    server.process.terminate()
    server.process.wait()
    page.get_by_text('does not answer').wait_for()
    again = start_server('--max-delay', 0, port=free_port)
    download(again, CODES[:2], 1)
    wait_for_charts(page, (1, 2))


def test_page_fits_a_phone_and_the_colours_of_its_user(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0)
    download(server, CODES, 6, 'a_script_with_a_long_name.py (python-httpx/0.28.1)')
    page.set_viewport_size({'width': 360, 'height': 640})
    page.emulate_media(color_scheme='light', reduced_motion='reduce')
    page.goto(site(server))
    wait_for_charts(page, (6, 12))
    assert page.evaluate('document.documentElement.scrollWidth') == 360
    for head in ('Most in flight', 'Time', 'Limit'):
        box = page.get_by_role('columnheader', name=head, exact=True).bounding_box()
        assert box
        assert box['x'] + box['width'] <= 360
    ground = 'getComputedStyle(document.body).backgroundColor'
    light = page.evaluate(ground)
    page.emulate_media(color_scheme='dark')
    assert page.evaluate(ground) != light


def write_page(*runs: dict[str, Any]) -> str:
    """Write a page with these runs into the current folder; return its URL."""
    path = Path('page.html').resolve()
    path.write_text(page_of(list(runs)), 'utf-8')
    return path.as_uri()


def test_page_with_runs_in_it_needs_no_server(page: 'Page') -> None:
    requests: list[str] = []
    page.on('request', lambda request: requests.append(request.url))
    label = '</script><!--<script>alert(1)'
    second = REQUEST | {'code': 'ZZ', 'start': 11.5, 'end': 12.5, 'delay': 1.0, 'status': 404}
    url = write_page(
        {'label': label, 'requests': [REQUEST, second]},
        {'label': 'other.py', 'requests': [REQUEST]},
    )
    page.goto(url)
    wait_for_charts(page, (1, 2), (1, 1))
    assert shown_runs(page)[0] == {
        'Run': label,
        'Most in flight': '1',
        'Time': '2.50 s',
        'Limit': '2.40 s',
        'Eff.': '0.96',
        'Speed-up': '',
        'Requests': '2',
        'Not found': '1',
        'Errors': '0',
        'Broken off': '0',
    }
    assert tip_at(page, 25) == 'BR: start 0.000 s, end 1.50 s, delay 1.40 s, 200'
    page.get_by_text(f'Requests of {label}').click()
    rows = page.locator('details').first.locator('tbody tr')
    wait_until(lambda: rows.count() == 2)
    assert [row.split('\t') for row in rows.all_inner_texts()] == [
        ['BR', '1', '0.000 s', '1.50 s', '1.40 s', '200'],
        ['ZZ', '1', '1.50 s', '2.50 s', '1.00 s', '404'],
    ]
    assert requests == [url]


def test_thousand_lanes_shrink_to_thin_rows(page: 'Page') -> None:
    requests = [REQUEST | {'lane': lane} for lane in range(1000)]
    page.goto(write_page({'label': 'wide', 'requests': requests}))
    wait_for_charts(page, (1000, 1000))
    box = page.locator('figure canvas').bounding_box()
    assert box
    assert 1000 < box['height'] < 1100


def test_speed_up_is_over_the_slowest_run_of_as_many_requests(page: 'Page') -> None:
    slow = [REQUEST, REQUEST | {'start': 11.5, 'end': 13.0}]
    quick = [REQUEST, REQUEST | {'lane': 2}]
    more = [REQUEST | {'start': 10.0 + second, 'end': 11.0 + second} for second in range(30)]
    runs = {'slow': slow, 'quick': quick, 'more': more}
    page.goto(write_page(*({'label': name, 'requests': runs[name]} for name in runs)))
    assert [run['Speed-up'][:-1] for run in shown_runs(page)] == ['1.0', '2.0', '']


def test_each_run_may_have_a_time_axis_of_its_own(page: 'Page') -> None:
    long, short = [REQUEST | {'end': 20.0}], [REQUEST]
    url = write_page({'label': 'long', 'requests': long}, {'label': 'short', 'requests': short})
    page.goto(url)
    box = page.locator('figure canvas').first.bounding_box()
    assert box
    right = box['width'] - page.evaluate('margin') - 3
    assert tip_at(page, right).startswith('BR')  # the axis ends with the longest run
    assert tip_at(page, right, chart=1) == ''
    page.get_by_label('One time axis').uncheck()
    assert tip_at(page, right, chart=1).startswith('BR')


def two_rows() -> list[dict[str, Any]]:
    """Return two requests in one row, and one in another that begins between them."""
    return [
        REQUEST,
        REQUEST | {'code': 'CN', 'start': 11.5, 'end': 13.0},
        REQUEST | {'code': 'DE', 'start': 11.0, 'end': 12.0, 'lane': 2},
    ]


def test_keys_go_from_one_request_to_the_next_and_taps_to_any(page: 'Page') -> None:
    page.goto(write_page({'label': 'run', 'requests': two_rows()}))
    page.locator('figure canvas').focus()
    told = []
    for key in 'ArrowRight ArrowRight ArrowRight ArrowRight ArrowLeft ArrowUp Home End'.split():
        page.keyboard.press(key)
        told.append(page.locator('#tip').inner_text()[:2])
    assert told == ['BR', 'DE', 'CN', 'CN', 'DE', 'CN', 'BR', 'CN']
    page.keyboard.press('ArrowDown')
    assert page.locator('#tip').inner_text().startswith('DE')
    page.keyboard.press('Escape')
    assert page.locator('#tip').is_hidden()
    page.locator('figure canvas').tap(position={'x': 100, 'y': FIRST_ROW})
    assert page.locator('#tip').inner_text().startswith('BR')
    page.locator('h2').tap()
    assert page.locator('#tip').is_hidden()


PIXEL = "document.querySelector('figure canvas').getContext('2d').getImageData(1, 1, 1, 1).data"


def test_charts_are_printed_in_light_colours(page: 'Page') -> None:
    page.emulate_media(color_scheme='dark')
    page.goto(write_page({'label': 'run', 'requests': two_rows()}))
    wait_for_charts(page, (2, 3))
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = [...{PIXEL}] }})")
    page.pdf()
    printed, shown = page.evaluate('window.printed'), page.evaluate(f'[...{PIXEL}]')
    assert printed == [255, 255, 255, 255]
    assert max(shown[:3]) < 100
    assert shown[3] == 255  # or else a saved image would have no ground


def test_no_column_is_cut_on_paper(page: 'Page') -> None:
    requests = [REQUEST | {'end': 310.0, 'delay': 250.0}, *two_rows()]
    run = {'label': 'flags2_threadpool.py -e -m 676', 'requests': requests, 'elapsed': 301.5}
    page.goto(write_page(run, run))
    page.emulate_media(media='print')
    page.set_viewport_size({'width': 718, 'height': 1047})  # A4 without its margins
    box = page.locator('#summary tr').first.bounding_box()
    page.emulate_media(media='screen')
    assert box
    assert box['x'] + box['width'] <= 718


LUMINANCES = """names => {
  const style = getComputedStyle(document.documentElement)
  const canvas = document.createElement('canvas').getContext('2d')
  return Object.fromEntries(names.map(name => {
    canvas.fillStyle = style.getPropertyValue('--' + name)
    canvas.fillRect(0, 0, 1, 1)
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => part / 255)
    const [r, g, b] = parts.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return [name, 0.2126 * r + 0.7152 * g + 0.0722 * b]
  }))
}"""
BARS = ['ok', 'missing', 'error', 'gone', 'waiting', 'area', 'computing', 'held', 'line']
TEXTS = [('text', 'ground'), ('text', 'panel'), ('muted', 'ground'), ('muted', 'panel')]
LABELS = [('on-bar', bar) for bar in ('ok', 'missing', 'error')]


def test_colours_have_enough_contrast(page: 'Page') -> None:
    page.goto(write_page({'label': 'run', 'requests': two_rows()}))
    colours = [*BARS, 'text', 'muted', 'ground', 'panel', 'on-bar']
    wanted = {(bar, 'panel'): 3.0 for bar in BARS}
    wanted |= dict.fromkeys([*TEXTS, *LABELS, ('error', 'ground')], 4.5)
    schemes: list[Any] = ['light', 'dark']
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        luminance: dict[str, float] = page.evaluate(LUMINANCES, colours)

        def contrast(pair: tuple[str, str], luminance: dict[str, float] = luminance) -> float:
            darker, lighter = sorted(luminance[colour] for colour in pair)
            return (lighter + 0.05) / (darker + 0.05)

        too_pale = [pair for pair, least in wanted.items() if contrast(pair) < least]
        assert (scheme, too_pale) == (scheme, [])


# What is on the wall: whether it fits, the sizes of its texts and the height of drawn digits
WALL = """() => {
  const parts = [...document.querySelectorAll('figure canvas, figcaption strong, figcaption b')]
  const boxes = parts.map(part => part.getBoundingClientRect())
  const canvas = [...document.querySelectorAll('figure canvas')].at(-1)
  const width = Math.round(innerHeight / 40), {height} = canvas
  const {data} = canvas.getContext('2d').getImageData(0, 0, width, height)
  const isInk = y => [...data.slice(4 * y * width, 4 * (y + 1) * width)].some(part => part < 200)
  return {
    left: boxes.filter(box => box.left < 0 || box.right > innerWidth || !box.width).length,
    below: boxes.filter(box => box.top < 0 || box.bottom > innerHeight).length,
    scrolls: document.documentElement.scrollHeight > innerHeight,
    texts: Math.min(...parts.map(part => parseFloat(getComputedStyle(part).fontSize))),
    digits: [...Array(height).keys()].filter(isInk).length,
    used: Math.max(...boxes.map(box => box.bottom)),
    captions: [...document.querySelectorAll('figcaption')].map(caption =>
      [...caption.querySelectorAll('b')].map(part => part.textContent).join(', ')),
    greys: [...document.querySelectorAll('figcaption b')].filter(part =>
      getComputedStyle(part).color !== getComputedStyle(document.body).color).length,
  }
}"""


def test_last_three_runs_and_nothing_else_fit_on_the_wall(
    page: 'Page', start_server: StartServer
) -> None:
    """The first of them is on top; a row is a request, and Escape leads back."""
    server = start_server('--max-delay', 0.02)
    runs = {'zero.py': 1, 'flags.py': 1, 'flags_threadpool.py': 4, 'flags_asyncio.py': 12}
    for agent, connections in runs.items():
        download(server, CODES, connections, agent)
    page.goto(f'{site(server)}#wall')
    wait_for_charts(page, *3 * [(12, 12)])
    wait_until(lambda: all(page.locator('figcaption b').all_inner_texts()))
    assert titles(page) == list(runs)[1:]
    assert page.locator('figcaption b').last.inner_text().endswith(TIMES)
    for width, height in [(1280, 720), (1920, 1080)]:
        page.set_viewport_size({'width': width, 'height': height})
        page.wait_for_timeout(100)
        wall = page.evaluate(WALL)
        assert [wall[part] for part in ('left', 'below', 'scrolls')] == [0, 0, False]
        assert wall['texts'] >= 0.022 * height
        assert 0.7 * 0.022 * height < wall['digits'] < 0.03 * height
        assert wall['used'] > 0.98 * height
        assert wall['greys'] == 0
        times = r'\d+ at a time, [\d.]+ s, [\d.]+' + TIMES
        assert all(re.fullmatch(times, caption) for caption in wall['captions'])
    assert page.evaluate("document.elementFromPoint(20, 20).closest('header')") is None
    for name in ('#live', '#legend', '#runs-shown', '#details', '.tools >> nth=0'):
        assert page.locator(name).is_hidden()
    opacity = "getComputedStyle(document.querySelector('#controls')).opacity"
    assert page.evaluate(opacity) == '0'
    page.keyboard.press('Tab')
    assert page.evaluate(opacity) == '1'
    page.keyboard.press('Escape')
    wait_for_charts(page, (12, 12), (4, 12), (1, 12), (1, 12))
    assert page.evaluate('location.hash') == ''
    page.get_by_label('Large charts').check()
    wait_for_charts(page, *3 * [(12, 12)])


def lesson() -> list[dict[str, Any]]:
    """Return runs of twenty requests, with flags: one at a time, six, and all at once."""
    folders = sorted(path for path in (ROOT / 'flags').glob('*/*.gif'))[:20]
    pictures = [base64.b64encode(path.read_bytes()).decode() for path in folders]
    runs = []
    for name, workers in [('flags.py', 1), ('flags_threadpool.py', 6), ('flags_asyncio.py', 20)]:
        free, requests = workers * [0.0], []
        for number, (path, data) in enumerate(zip(folders, pictures, strict=True)):
            lane = free.index(min(free))
            delay = 0.05 + 0.3 * (number * 7 % 20) / 20
            free[lane] += delay + 0.004
            request = {'lane': lane, 'code': path.stem.upper(), 'delay': delay, 'status': 200}
            request |= {'start': free[lane] - delay - 0.004, 'end': free[lane]}
            requests.append(request | {'picture': f'data:image/gif;base64,{data}'})
        runs.append({'label': name, 'requests': requests})
    return runs


# Of each chart, what is drawn in its rows, in pixels of the screen
ROWS = """() => runs.map(({plan, bars, hasAxis, canvas, figure}) => ({
  row: plan.row * zoom,
  flags: bars.map(({label}) => label.flagWidth * zoom),
  codes: bars.filter(({label}) => label.text).length * plan.codes * zoom / bars.length,
  right: Math.max(...bars.map(({label}) =>
    Math.max(label.textAt + textWidth(label.text, plan.codes), label.flagAt + label.flagWidth))),
  hasAxis, width: plan.width, top: figure.offsetTop, bottom: figure.offsetTop + figure.offsetHeight,
}))"""


@pytest.mark.parametrize('size', [(1280, 720), (1366, 768), (1024, 768)])
def test_twenty_rows_in_each_of_three_charts_show_flags_and_codes(
    size: tuple[int, int], page: 'Page'
) -> None:
    page.set_viewport_size({'width': size[0], 'height': size[1]})
    page.goto(f'{write_page(*lesson())}#wall')
    wait_for_charts(page, *3 * [(20, 20)])
    wait_until(lambda: all(all(chart['flags']) for chart in page.evaluate(ROWS)))
    shown = page.evaluate(ROWS)
    assert [chart['hasAxis'] for chart in shown] == [True, False, False]
    for chart in shown:
        assert chart['row'] >= 8
        assert min(chart['flags']) > 6  # the narrowest flag is nearly square
        assert chart['codes'] > 7
        assert chart['right'] <= chart['width']
    assert size[1] - 10 <= shown[-1]['bottom'] <= size[1]
    page.get_by_label('One time axis').set_checked(False, force=True)
    wait_until(lambda: [chart['hasAxis'] for chart in page.evaluate(ROWS)] == 3 * [True])
    assert page.evaluate(ROWS)[-1]['bottom'] <= size[1]


def test_charts_of_a_small_window_scroll_and_do_not_merge(page: 'Page') -> None:
    """At a zoom of 200 %, a window of 1280 by 720 pixels has a quarter of them."""
    page.set_viewport_size({'width': 640, 'height': 360})
    page.goto(f'{write_page(*lesson())}#wall')
    wait_for_charts(page, *3 * [(20, 20)])
    shown = page.evaluate(ROWS)
    assert min(chart['row'] for chart in shown) >= 7
    assert all(upper['bottom'] <= lower['top'] for upper, lower in pairwise(shown))
    assert shown[-1]['bottom'] > 360
    turns = 0
    while page.evaluate('view') == 'wall':
        turns += 1
        page.keyboard.press('PageDown')
        page.wait_for_timeout(200)
    assert 2 <= turns < 9
    assert page.evaluate('view') == 'board'


LIMIT = """() => {
  const {plan, bars, canvas, limit, start, end} = runs[0]
  const sharpness = devicePixelRatio * zoom, context = canvas.getContext('2d')
  const pixels = (x, y, width, height) => {
    const box = [x, y, width, height].map(part => Math.round(part * sharpness))
    const {data} = context.getImageData(...box)
    const isBar = pixel => (pixel & 0xffffff) === 0xb06726
    return [...new Uint32Array(data.buffer)].filter(pixel => !isBar(pixel))
  }
  const areDark = (...box) => pixels(...box).some(pixel => (pixel & 255) < 80)  // in their red part
  const at = plan.x(start + limit), after = plan.x(end) + 5
  const bar = bars.find(({left, right}) => left + 5 < at && at < right - 5)
  const gap = bars.find(({left, right}) => at < left - 5 || right + 5 < at)
  return {
    onBar: areDark(at - 3, bar.middle, 6, 1),
    between: areDark(at - 3, gap.middle, 6, 1),
    onArea: areDark(at + 3, plan.top + 5, after - at - 10, plan.rowsTop - plan.top - 9),
    beside: areDark(after, plan.top + 4, 60, 10),
  }
}"""


@pytest.mark.parametrize('view', ['#wall', ''])
def test_line_of_the_limit_cuts_no_bar_and_its_label_is_beside_the_area(
    view: str, page: 'Page'
) -> None:
    run = lesson()[1] | {'limit': 0.9}
    for request in run['requests']:
        del request['picture']
    run['requests'][-1]['end'] += 1  # one request in flight, for long
    page.goto(write_page(run) + view)
    wait_until(lambda: page.evaluate('runs[0].plan'))
    page.get_by_label('A row per request').set_checked(True, force=True)
    page.wait_for_timeout(100)
    shown = page.evaluate(LIMIT)
    assert shown == {'onBar': False, 'between': True, 'onArea': False, 'beside': True}


def test_what_waits_has_a_frame_as_high_as_a_bar_and_its_code_beside_it(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 30, '--max-delay', 30)
    page.goto(f'{site(server)}#wall')
    with connect(server.url) as client:
        client.sendall(b'GET /flags/br/br.gif HTTP/1.1\r\nHost: localhost\r\n\r\n')
        wait_for_charts(page, (1, 1))
        page.wait_for_timeout(1500)
        beside, edges = page.evaluate("""() => {
          const {plan, bars: [bar], canvas} = runs[0], context = canvas.getContext('2d')
          const sharpness = devicePixelRatio * zoom, top = bar.middle - plan.thickness / 2
          const row = y => {
            const box = [bar.left + 4, y, bar.right - bar.left - 8].map(part => part * sharpness)
            return new Set(new Uint32Array(context.getImageData(...box, 1).data.buffer))
          }
          const same = (a, b) => [...a].some(each => b.has(each))
          const isFrame = y => row(y).size > 1 && !same(row(y), row(top - 3))
          return [bar.label.text === 'BR' && !bar.label.isOnBar && bar.label.textAt > bar.right,
            [top + 1, top + plan.thickness - 1].map(isFrame)]
        }""")
    assert beside
    assert edges == [True, True]


def test_three_charts_are_seen_at_once_and_their_labels_are_whole(page: 'Page') -> None:
    page.set_viewport_size({'width': 1280, 'height': 720})
    page.goto(write_page(*lesson()))
    wait_for_charts(page, (1, 20), (6, 20), (20, 20))
    assert page.evaluate(ROWS)[-1]['bottom'] <= 720
    for same in (True, False):
        page.get_by_label('One time axis').set_checked(same)
        page.wait_for_timeout(100)
        ends = page.evaluate("""runs.map(({plan: {x, width}, end, most}) => {
          const texts = ['limit 4.00 s', `${most} in flight`]
          return width - x(end) - 6 - Math.max(...texts.map(text => textWidth(text)))
        })""")
        assert min(ends) >= 0


def test_tooltip_goes_when_the_view_changes(page: 'Page') -> None:
    page.goto(write_page(*lesson()))
    wait_for_charts(page, (1, 20), (6, 20), (20, 20))
    page.evaluate("location.hash = '#wall'")
    page.locator('figure canvas').first.focus()
    page.keyboard.press('ArrowRight')
    assert page.locator('#tip').is_visible()
    page.keyboard.press('PageDown')
    wait_until(lambda: page.evaluate('view') == 'board')
    page.wait_for_timeout(100)
    assert page.locator('#tip').is_hidden()


BOARD = """() => {
  const rows = [...document.querySelectorAll('#summary tr')]
  const cells = [...document.querySelectorAll('#summary tbody > tr > *')]
  const boxes = rows.map(row => row.getBoundingClientRect())
  return {
    whole: boxes.filter(box => box.bottom <= innerHeight && box.right <= innerWidth).length,
    cut: cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).length,
    dots: cells.filter(cell => cell.matches('td') && cell.textContent.includes('…')).length,
    size: Math.min(...cells.map(cell => parseFloat(getComputedStyle(cell).fontSize))),
    used: Math.max(...boxes.map(box => box.bottom)) / innerHeight,
    right: Math.max(...boxes.map(box => box.right)),
    heads: [...document.querySelectorAll('#summary thead th')].map(cell => cell.textContent),
    names: [...document.querySelectorAll('#summary tbody th')].map(cell => cell.textContent),
  }
}"""


@pytest.mark.parametrize('count', [3, 12, 30, 40])
def test_every_row_of_the_board_is_whole(count: int, page: 'Page') -> None:
    name = 'flags_threadpool_by_ada.py -m {} from 192.168.100.{}'
    runs = [run | {'label': name.format(n, n)} for n, run in enumerate(count * lesson())][:count]
    for run in runs:
        run['requests'] = run['requests'][:4]
    page.goto(f'{write_page(*runs)}#board')
    for width, height in [(1024, 768), (1280, 720), (1920, 1080), (640, 720), (512, 768)]:
        page.set_viewport_size({'width': width, 'height': height})
        page.wait_for_timeout(200)
        board = page.evaluate(BOARD)
        assert (board['whole'], board['cut'], board['dots']) == (count + 1, 0, 0), (width, height)
        assert board['size'] >= 12
        assert all(re.match('flags.*00.[0-9]+$', name) for name in board['names'])
        if count >= 30 and width > 1000:
            assert board['used'] > 0.9
    assert 'Requests' not in board['heads']
    assert [*board['heads'][:3], board['heads'][-1]] == ['Run', 'Most in flight', 'Time', 'Errors']
    page.set_viewport_size({'width': 1280, 'height': 720})
    wait_until(lambda: page.evaluate(BOARD)['heads'][-1] == 'Requests')
    page.set_viewport_size({'width': 512, 'height': 768})
    wait_until(lambda: '…' in page.evaluate(BOARD)['names'][0])
    page.evaluate('onbeforeprint()')
    page.emulate_media(media='print')
    page.set_viewport_size({'width': 718, 'height': 1047})  # A4 without its margins
    printed = page.evaluate(BOARD)
    page.evaluate('onafterprint()')
    page.emulate_media(media='screen')
    assert (printed['cut'], printed['right'] <= 718) == (0, True)
    assert printed['names'] == [run['label'] for run in runs]


def test_board_that_does_not_fit_scrolls_with_page_down(page: 'Page') -> None:
    page.set_viewport_size({'width': 640, 'height': 300})
    page.goto(f'{write_page(*40 * lesson()[:1])}#board')
    page.wait_for_timeout(100)
    assert page.evaluate(BOARD)['size'] >= 12
    for _ in range(9):
        page.keyboard.press('PageDown')
        page.wait_for_timeout(200)
        if page.evaluate(BOARD)['used'] <= 1:
            break
    assert page.evaluate('view') == 'board'
    page.keyboard.press('PageDown')
    wait_until(lambda: page.evaluate('view') == 'wall')


def test_names_are_shortened_in_the_middle(page: 'Page') -> None:
    page.goto(write_page(*lesson()[:1]))
    short = [
        page.evaluate('width => shorten("flags.py -m 5", width, text => text.length)', width)
        for width in (13, 12, 7, 3, 1)
    ]
    assert short == ['flags.py -m 5', 'flags.… -m 5', 'fla…m 5', 'f…5', 'f…']


def test_run_of_many_requests_has_a_row_per_connection_on_the_wall(page: 'Page') -> None:
    requests = [REQUEST | {'lane': number % 5, 'start': 9 + number / 100} for number in range(31)]
    run = {'label': 'run', 'requests': requests}
    page.goto(f'{write_page(run, run | {"requests": requests[1:]})}#wall')
    wait_for_charts(page, (5, 31), (30, 30))


def test_row_may_be_a_request_in_order_of_arrival(page: 'Page') -> None:
    page.goto(write_page({'label': 'run', 'requests': two_rows()}))
    wait_for_charts(page, (2, 3))
    page.get_by_label('A row per request').check()
    wait_for_charts(page, (3, 3))
    told = [tip_at(page, x, FIRST_ROW + 22 * row) for row, x in enumerate([200, 600, 900])]
    assert [tip[:2] for tip in told] == ['BR', 'DE', 'CN']
    assert 'connections: 2,' in page.locator('figcaption').inner_text()


SAMPLES = """() => new Promise(resolve => {
  const samples = [], numberOf = text => parseFloat(text.split(' ').at(-2))
  const look = () => {
    const canvas = document.querySelector('figure canvas')
    const [waiting, , done, , , elapsed] =
      [...document.querySelectorAll('#now dd')].map(tile => parseFloat(tile.textContent))
    const [time, limit] = document.querySelector('.facts')?.textContent.split(', ').slice(3) ?? []
    if (canvas?.dataset.bars > 0) {
      const bars = +canvas.dataset.bars, count = waiting + done
      samples.push({bars, count, elapsed, time: numberOf(time), limit: numberOf(limit)})
    }
    if (done === 3) resolve(samples)
    else requestAnimationFrame(look)
  }
  look()
})"""


def test_all_of_the_page_shows_the_same_moment(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.6, '--max-delay', 0.6)
    page.goto(site(server))
    with ThreadPoolExecutor(1) as executor:
        executor.submit(download, server, CODES[:3], 2)
        samples = page.evaluate(SAMPLES)
    assert samples[0]['elapsed'] < 0.25
    assert [each for each in samples if each['count'] != each['bars']] == []
    assert [each for each in samples if each['elapsed'] != each['time']] == []
    assert [each for each in samples if each['limit'] > each['time']] == []
    assert [each for each in samples if each['bars'] == 3 and each['time'] < 0.59] == []


def test_runs_are_sorted_by_a_click_or_a_key_on_a_head(page: 'Page') -> None:
    ends = {'b': 11.0, 'c': 14.0, 'a': 12.0}
    runs = [{'label': name, 'requests': [REQUEST | {'end': end}]} for name, end in ends.items()]
    page.goto(write_page({'label': 'd', 'requests': 2 * [REQUEST | {'end': 14.5}]}, *runs))
    head = page.get_by_role('columnheader', name='Time', exact=True)
    orders = []
    for press in [head.locator('button').click, *2 * [lambda: page.keyboard.press('Enter')]]:
        press()
        orders.append((''.join(names(page)), head.get_attribute('aria-sort')))
    assert orders == [('bacd', 'ascending'), ('dcab', 'descending'), ('dbca', 'none')]
    page.get_by_role('button', name='Speed-up').click()
    assert names(page) == ['b', 'a', 'c', 'd']  # which has none
    page.keyboard.press('Enter')
    assert names(page) == ['c', 'a', 'b', 'd']


def test_class_that_joins_in_has_a_board_of_forty_runs(page: 'Page', fast_server: Server) -> None:
    """A run is named after its address, too, unless that is the server's own."""
    clients = [*(f'192.168.0.{number}' for number in range(50)), '::1', '::ffff:127.0.0.1']
    state: dict[str, Any] = {'born': 1.0, 'now': 100.0, 'change': 9}
    state['requests'] = [
        REQUEST
        | {'path': '/', 'agent': 'own.py', 'client': client, 'run': number, 'end': 10 + number}
        for number, client in enumerate(clients, 1)
    ]
    page.route('**/requests*', lambda route: route.fulfill(json=state))
    page.goto(f'{site(fast_server)}#board')
    wait_until(lambda: len(names(page)) == 40)
    assert names(page)[:3] == ['own.py', 'own.py', 'own.py from 192.168.0.49']
    assert page.locator('figure').count() == 0
    page.keyboard.press('PageUp')
    wait_for_charts(page, *3 * [(1, 1)])
    assert titles(page) == names(page)[2::-1]
    page.keyboard.press('Escape')
    wait_for_charts(page, *6 * [(1, 1)])


def test_figures_of_compare_are_shown_as_they_came_with_the_page(page: 'Page') -> None:
    figures = {'elapsed': 2.8, 'limit': 2.1, 'most': 7, 'speed_up': f'12.6 ± .4{TIMES}'}
    page.goto(write_page({'label': 'run', 'requests': [REQUEST]} | figures))
    (shown,) = shown_runs(page)
    assert list(shown)[1:6] == ['Most in flight', 'Time', 'Limit', 'Eff.', 'Speed-up']
    assert list(shown.values())[1:6] == ['7', '2.80 s', '2.10 s', '0.75', f'12.6 ± .4{TIMES}']
    caption = page.locator('figcaption').inner_text()
    assert 'most in flight: 7, time: 2.80 s, limit: 2.10 s' in caption
    assert page.locator('.about-times').first.is_hidden()


class Prefixed(SimpleHTTPRequestHandler):
    """Hands all below /proxy/8001/ on to a server, as jupyter-server-proxy does."""

    site = ''

    def do_GET(self) -> None:
        """Answer as the server does, which is asked without the prefix."""
        status, content, kind = 404, b'', 'text/plain'
        if self.path.startswith('/proxy/8001/'):
            answer = httpx.get(self.site + self.path.removeprefix('/proxy/8001/'))
            status, content = answer.status_code, answer.content
            kind = answer.headers['Content-Type']
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def test_page_works_below_a_prefix(
    page: 'Page', start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server('--min-delay', 0.2, '--max-delay', 0.2)
    monkeypatch.setattr(Prefixed, 'site', site(server))
    with ThreadingHTTPServer((LOCALHOST, 0), Prefixed) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        prefix = f'http://{LOCALHOST}:{proxy.server_address[1]}/proxy/8001/'
        page.goto(prefix)
        page.get_by_text('-s URL, as the server has printed it').wait_for()
        flag = f'{prefix}flags/br/br.gif?picture'
        with page.expect_request_finished(lambda request: request.url == flag) as picture:
            download(server, CODES[:3], 3)
            wait_for_charts(page, (3, 3))
        response = picture.value.response()
        assert response
        assert response.status == 200
        page.goto('about:blank')
        proxy.shutdown()


@pytest.mark.parametrize('name', ['SIGTERM', pytest.param('SIGSTOP', marks=needs_posix)])
def test_clock_stops_when_the_server_does(
    name: str, page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 30, '--max-delay', 30)
    page.goto(site(server))
    with connect(server.url) as client:
        client.sendall(b'GET /flags/br/br.gif HTTP/1.1\r\nHost: localhost\r\n\r\n')
        wait_for_charts(page, (1, 1))
        server.process.send_signal(signal.Signals[name])
        page.get_by_text('does not answer').wait_for()
        page.wait_for_timeout(1500)
        chart = "document.querySelector('figure canvas').toDataURL()"
        before = page.evaluate(chart), tiles(page)['Elapsed']
        page.wait_for_timeout(500)
        assert (page.evaluate(chart), tiles(page)['Elapsed']) == before
    opacity = "getComputedStyle(document.querySelector('figure canvas')).opacity"
    assert float(page.evaluate(opacity)) < 1
    colours = 'getComputedStyle({}).color'
    state = page.evaluate(colours.format("document.querySelector('#state')"))
    assert state != page.evaluate(colours.format('document.body'))


def test_runs_can_be_hidden_pinned_and_cleared(
    page: 'Page', start_server: StartServer, free_port: int
) -> None:
    server = start_server('--max-delay', 0, port=free_port)
    page.goto(site(server))
    for agent in ('one', 'two', 'three', 'four'):
        download(server, CODES[:1], 1, agent)
    wait_until(lambda: names(page) == ['four', 'three', 'two', 'one'])
    page.get_by_role('button', name='Hide').nth(1).click()
    page.get_by_role('button', name='Pin').last.click()
    assert names(page) == ['four', 'two', 'one']
    page.get_by_role('button', name='Clear').click()
    assert names(page) == ['one']
    for number in range(8):
        download(server, CODES[:1], 1, f'more {number}')
    wait_until(lambda: len(names(page)) == 9)
    wait_until(lambda: len(charts(page)) == 7)
    assert titles(page)[-1].startswith('one, ')
    server.process.terminate()
    server.process.wait()
    again = start_server('--max-delay', 0, port=free_port)
    page.get_by_text('no request yet').wait_for()
    assert page.locator('#newest').is_hidden()
    download(again, CODES[:1], 1, 'new')
    wait_until(lambda: names(page) == ['new', 'one'])


def test_live_page_is_saved_with_what_it_shows(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.2, '--max-delay', 0.3)
    page.goto(site(server))
    agent = '</script>$&<b>'
    download(server, [*CODES[:3], 'zz'], 2, agent)
    wait_for_charts(page, (2, 4))
    page.wait_for_timeout(500)  # until the flags are loaded
    before = shown_runs(page)
    with page.expect_download() as download_of_page:
        page.get_by_role('button', name='Save as HTML').click()
    path = Path('saved.html').resolve()
    download_of_page.value.save_as(path)
    server.process.terminate()
    page.goto('about:blank')  # it asks no more
    requests: list[str] = []
    page.on('request', lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    wait_for_charts(page, (2, 4))
    assert shown_runs(page) == before
    assert names(page) == [agent]
    assert [url for url in requests if not url.startswith('data:')] == [path.as_uri()]
    assert path.read_text('utf-8').count('data:image/png') == 3
    assert page.get_by_role('button').all_inner_texts() == list(before[0])  # the heads


def test_work_that_computes_is_shown_in_its_own_words(page: 'Page') -> None:
    numbers = [
        {'lane': 'thread 1', 'code': '7 P', 'start': 5.0, 'end': 9.0, 'share': 0.5},
        {'lane': 'thread 2', 'code': '9', 'start': 5.0, 'end': 6.0, 'share': 0.45},
        {'lane': 'thread 2', 'code': '9', 'start': 6.0, 'end': 9.0, 'kind': 'held'},
    ]
    lanes = ['thread 1', 'thread 2']
    run = {'label': 'pool.py', 'work': True, 'lanes': lanes, 'requests': numbers}
    page.goto(write_page(run))
    wait_for_charts(page, (2, 3))
    assert shown_runs(page) == [
        {
            'Run': 'pool.py',
            'Most at once': '2',
            'Time': '4.00 s',
            'Speed-up': '',
            'Numbers': '2',
        }
    ]
    legend = page.locator('#legend li').all_inner_texts()
    assert [text.split(';')[0] for text in legend] == ['computing', 'result waits']
    assert 'requests' not in page.locator('body').inner_text().lower()
    assert tip_at(page, 700) == '7 P: start 0.000 s, end 4.00 s, 50 % of a CPU, computing'
    assert tip_at(page, 700, FIRST_ROW + 22 + 8) == '9: start 1.00 s, end 4.00 s, result waits'
    page.get_by_text('Numbers of pool.py').click()
    first_row = page.locator('details tbody tr').first.inner_text()
    assert first_row.split('\t') == ['7 P', 'thread 1', '0.000 s', '4.00 s', '50 %', 'computing']


PIXEL_AT = """([part, y]) => {
  const canvas = document.querySelector('figure canvas')
  return [...canvas.getContext('2d').getImageData(canvas.width * part, y, 1, 1).data]
}"""


def test_bar_is_filled_by_its_share_of_a_cpu(page: 'Page') -> None:
    number = {'lane': 'a', 'code': '', 'start': 0.0, 'end': 1.0, 'share': 0.5}
    page.goto(write_page({'label': 'work', 'work': True, 'requests': [number]}))
    wait_for_charts(page, (1, 1))
    filled, pale = (
        page.evaluate(PIXEL_AT, [0.4, FIRST_ROW]),
        page.evaluate(PIXEL_AT, [0.7, FIRST_ROW]),
    )
    assert sum(filled) + 200 < sum(pale)


def test_results_that_wait_are_one_strip_below_the_bars_of_their_worker(page: 'Page') -> None:
    spans = [(0, 1, 0.0), (2, 4, 0.0), (1, 3, None), (2, 4, None)]  # those without a share wait
    numbers = [
        {'lane': 'a', 'code': '7', 'start': start, 'end': end}
        | ({'kind': 'held'} if share is None else {'share': share})
        for start, end, share in spans
    ]
    page.goto(write_page({'label': 'work', 'work': True, 'requests': numbers}))
    wait_for_charts(page, (1, 4))
    bar, blank, bar_2, bar_3 = (
        page.evaluate(PIXEL_AT, [x, FIRST_ROW - 9]) for x in (0.1, 0.4, 0.6, 0.9)
    )
    assert bar == bar_2 == bar_3 != blank
    colours = """([from, to]) => {
      const context = document.querySelector('figure canvas').getContext('2d')
      const {data} = context.getImageData(from, 46 + 16 + 2, to - from, 1)
      return new Set(new Uint32Array(data.buffer)).size
    }"""
    assert page.evaluate(colours, [0.27 * 1200, 0.95 * 1200]) == 1  # without a label
    assert page.evaluate(colours, [0.1 * 1200, 0.95 * 1200]) > 1
    assert tip_at(page, 0.6 * 1200).endswith('computing')


def test_runs_are_escaped_in_the_page() -> None:
    run = {'label': '</script><!-- <script>', 'requests': []}
    (text,) = re.findall(r'id="runs">(.*?)</script>', page_of([run]), re.DOTALL)
    assert json.loads(text) == [run]
    assert '<' not in text
