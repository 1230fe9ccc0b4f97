"""The page that shows the requests of slow_server.py, in a real browser."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import Server, StartServer, wait_until

import slow_server
from comparing.page import PLACEHOLDER, html_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TEMPLATE = slow_server.PAGE.read_text('utf-8')
CODES = 'br cn de eg et fr id in ir jp mx ng'.split()
BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
OPTIONS = (
    '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking '
    '--disable-component-update --disable-sync'
)
REQUEST = {'lane': 1, 'code': 'BR', 'start': 10.0, 'end': 11.5, 'delay': 1.4, 'status': 200}


@pytest.fixture(scope='module')
def browser() -> Iterator['Browser']:
    """Run a browser; skip the test where there is none, or no library that drives it."""
    library = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip('no Chromium is installed')
    with library.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS.split())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: 'Browser') -> Iterator['Page']:
    """Open an empty page, which must not complain nor ask any other host in the end."""
    page = browser.new_page()
    complaints: list[str] = []
    hosts = set()
    page.on('console', lambda message: complaints.append(message.text))
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('request', lambda request: hosts.add(urlsplit(request.url).hostname))
    yield page
    page.close()
    lost = re.compile('ERR_CONNECTION_(REFUSED|RESET)')  # a server was stopped
    assert [text for text in complaints if not lost.search(text)] == []
    assert hosts <= {'localhost', None}


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


def shown_runs(page: 'Page') -> list[list[str]]:
    """Return the cells of the table of runs, without its head."""
    rows = page.locator('#summary tbody tr').all()
    return [row.locator('th, td').all_inner_texts() for row in rows]


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


def test_six_connections_make_six_lanes_and_each_request_a_bar(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.2)
    page.goto(site(server))
    download(server, CODES, 6)
    wait_for_charts(page, (6, len(server.first_requests(12))))


def test_two_runs_make_two_charts_the_newest_on_top(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0)
    page.goto(site(server))
    download(server, CODES[:4], 1, 'flags.py')
    page.wait_for_timeout(1100)
    download(server, CODES[:6], 3, 'flags_threadpool.py (httpx/0.28.1)')
    wait_for_charts(page, (3, 6), (1, 4))
    labels = page.locator('figcaption strong').all_inner_texts()
    assert labels == ['flags_threadpool.py (httpx/0.28.1)', 'flags.py']


def test_numbers_equal_those_of_the_log(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.2, '--error-rate', 0.3)
    download(server, [*CODES, 'zz', 'yy'], 4)
    requests = server.first_requests(14)
    page.goto(site(server))  # late
    wait_for_charts(page, (4, 14))
    ((label, *numbers),) = shown_runs(page)
    statuses = [request['status'] for request in requests]
    delays = [request['delay'] for request in requests]
    first = min(request['start'] for request in requests)
    last = max(request['end'] for request in requests)
    expected = [
        14,
        statuses.count(404),
        statuses.count(418),
        4,
        last - first,
        max(*delays, sum(delays) / 4),
    ]
    assert label == 'test.py'
    assert [float(number.split()[0]) for number in numbers] == pytest.approx(expected, abs=0.006)
    facts = page.locator('figcaption span').inner_text()
    assert re.findall(r'[\d.]+', facts) == [
        '14',
        '4',
        '4',
        *re.findall(r'[\d.]+', ' '.join(numbers[4:])),
    ]


def test_requests_are_shown_while_they_wait(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 1.5, '--max-delay', 1.5)
    page.goto(site(server))
    page.get_by_text('no request yet').wait_for()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(download, server, CODES[:3], 3)
        wait_for_charts(page, (3, 3))
        assert page.locator('#now dd').all_inner_texts()[:4] == ['3', '3', '0', '0']
    wait_until(lambda: page.locator('#now dd').all_inner_texts()[:4] == ['0', '3', '3', '0'])


def test_client_that_hangs_up_is_an_error(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 30, '--max-delay', 30)
    page.goto(site(server))
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b'GET /flags/br/br.gif HTTP/1.1\r\nHost: localhost\r\n\r\n')
        wait_for_charts(page, (1, 1))
    wait_until(lambda: page.locator('#now dd').all_inner_texts()[:4] == ['0', '1', '1', '1'])
    page.locator('figure canvas').hover(position={'x': 5, 'y': 30})
    assert page.locator('#tip').inner_text().endswith('client gone')


def test_what_a_client_sends_stays_text(page: 'Page', start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.1)
    page.goto(site(server))
    path, agent = '/<script>alert(1)</script>.gif', '<img src=x onerror=alert(1)>'
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(f'GET {path} HTTP/1.1\r\nUser-Agent: {agent}\r\n\r\n'.encode())
        client.recv(1000)
    wait_for_charts(page, (1, 1))
    page.locator('figure canvas').hover(position={'x': 5, 'y': 30})
    assert page.locator('#tip').inner_text().startswith(f'{path}: start 0.000 s, ')
    assert page.locator('figcaption strong').inner_text() == agent
    assert shown_runs(page)[0][0] == agent
    assert page.locator('img, script').count() == 2  # the page's own scripts


@pytest.mark.parametrize(
    'path',
    [
        'http://example.com/../../flags/br/br.gif',
        '/\\example.com/../flags/br/br.gif',
        '/flags/br/br.gif#',
    ],
)
def test_pictures_come_from_this_server_only(
    path: str, page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.3, '--max-delay', 0.3)
    page.goto(site(server))
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(f'GET {path} HTTP/1.1\r\n\r\n'.encode())
        assert client.recv(1000).startswith(b'HTTP/1.1 200')
    wait_for_charts(page, (1, 1))
    page.wait_for_timeout(500)


def test_picture_of_a_flag_is_neither_counted_nor_logged(
    page: 'Page', start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.3, '--max-delay', 0.3)
    page.goto(site(server))
    picture = f'{server.url}/br/br.gif?picture'
    with page.expect_request_finished(lambda request: request.url == picture):
        download(server, ['br'], 1)
    wait_for_charts(page, (1, 1))
    assert len(server.requests()) == len(server.lines()) == 1


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
    ground = 'getComputedStyle(document.body).backgroundColor'
    light = page.evaluate(ground)
    page.emulate_media(color_scheme='dark')
    assert page.evaluate(ground) != light


def write_page(*runs: dict[str, Any]) -> str:
    """Write a page with these runs into the current folder; return its URL."""
    path = Path('page.html').resolve()
    path.write_text(html_page(TEMPLATE, list(runs)), 'utf-8')
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
    assert shown_runs(page)[0] == [label, '2', '1', '0', '1', '2.50 s', '2.40 s']
    page.locator('figure canvas').first.hover(position={'x': 5, 'y': 30})
    tip = page.locator('#tip').inner_text()
    assert tip == 'BR: start 0.000 s, end 1.50 s, delay 1.40 s, 200'
    page.get_by_text(f'Requests of {label}').click()
    rows = page.locator('details').first.locator('tbody tr').all_inner_texts()
    assert [row.split('\t') for row in rows] == [
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
    assert 1000 < box['height'] < 1050


def test_runs_are_escaped_in_the_page() -> None:
    run = {'label': '</script><!-- <script>', 'requests': []}
    (text,) = re.findall(r'id="runs">(.*?)</script>', html_page(TEMPLATE, [run]), re.DOTALL)
    assert json.loads(text) == [run]
    assert '<' not in text


def test_template_without_a_place_for_runs_is_refused() -> None:
    with pytest.raises(ValueError, match='no single place'):
        html_page(PLACEHOLDER * 2, [])
