#!/usr/bin/env python3
"""Make the pictures in docs/, and replace the tables beside them by those of the same runs.

    $ pip install '.[browser,compare]'
    $ python3 tools/screenshots.py

Commands and options are those that the pages show. It needs Debian's package chromium, or another
Chromium, and a machine that does nothing else for five minutes.
"""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / 'README.md'
DOCS = ROOT / 'docs'
BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
SERIES = ['flags.py', 'flags_threadpool.py', 'flags_asyncio.py']
EVERY_CODE_AT_ONCE = ['flags2_threadpool.py', '-e', '-m', '676']
PAUSE = 1.5  # seconds: ends a run, and lets the page draw all of it
WALL = {'width': 960, 'height': 640}
FRAME = 0.1  # seconds from one picture to the next at least
LONG_STAY = 0.6  # seconds at most, while nothing changes
FIRST_STAY, LAST_STAY = 1.0, 3.0  # seconds
COLOURS = 96


@contextmanager
def watched_server(page: Page, *options: str) -> Iterator[str]:
    """Context manager: run slow_server.py, and open its page; yield its base URL."""
    command = [sys.executable, str(ROOT / 'slow_server.py'), '0', *options]
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=PIPE, stderr=silent, text=True) as server:
        assert server.stdout
        try:
            base_url, page_url = (server.stdout.readline().split()[-1] for _ in range(2))
            page.goto(page_url)
            yield base_url
        finally:
            server.terminate()


def server_options(page: Path) -> list[str]:
    """Return the options of the first slow_server.py with chosen delays that a page shows."""
    found = re.search(r'slow_server\.py (--min-delay.*)', page.read_text('utf-8'))
    assert found
    return shlex.split(found[1])


def run(base_url: str, script: str, *args: str) -> None:
    """Run a script in a temporary folder; then wait until the page shows the run as ended."""
    command = [sys.executable, str(ROOT / script), *args, '-s', base_url]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    time.sleep(PAUSE)


def film(browser: Browser) -> None:
    """Make the film of the README's quick start: the large charts while three scripts run."""
    page = browser.new_page(viewport=WALL)
    with watched_server(page, *server_options(README)) as base_url:
        page.goto(f'{page.url}#wall')
        frames = []
        for script in SERIES:
            with ThreadPoolExecutor(1) as executor:
                running = executor.submit(run, base_url, script)
                while not running.done():
                    start = time.monotonic()
                    frames.append((start, page.screenshot()))
                    time.sleep(max(0.0, FRAME - (time.monotonic() - start)))
    save_film(frames, DOCS / 'watch.gif')
    print('docs/watch.gif')


def picture_for_class(browser: Browser) -> None:
    """Make the picture of the large charts after the three runs of class.md."""
    page = browser.new_page(viewport=WALL, device_scale_factor=2)
    with watched_server(page, *server_options(DOCS / 'class.md')) as base_url:
        page.goto(f'{page.url}#wall')
        for script in SERIES:
            run(base_url, script)
        page.screenshot(path=DOCS / 'watch.png')
    print('docs/watch.png')


def compare_again(page: Path, folder: Path, *options: str) -> None:
    """Run the first comparison that a page shows; replace its output in the page by the new one.

    The folder gets the variants of the page, and the files that the command writes.
    """
    text = page.read_text('utf-8')
    command = re.search(r'^```\w*\n\$ python3 (compare\.py [^\n]*)\n(.*?)^```$', text, re.M | re.S)
    assert command
    for name, variant in re.findall(r'^```(?:py|sh)\n# (\S+)\n(.*?)^```$', text, re.M | re.S):
        (folder / name).write_text(variant, 'utf-8')
    (folder / 'without').mkdir(exist_ok=True)
    (folder / 'without/psutil.py').write_text('raise ModuleNotFoundError', 'utf-8')
    hidden = {} if ' MB' in command[2] else {'PYTHONPATH': str(folder / 'without')}
    words = [sys.executable, str(ROOT / 'compare.py'), *shlex.split(command[1])[1:], *options]
    shown = subprocess.run(words, cwd=folder, env=os.environ | hidden, stdout=PIPE, check=True)
    text = text[: command.start(2)] + shown.stdout.decode() + text[command.end(2) :]
    page.write_text(text, 'utf-8')
    print(page.relative_to(ROOT), *options)


def save_film(frames: list[tuple[float, bytes]], path: Path) -> None:
    """Save a film of frames, each given with its time; the last frame also comes first."""
    blank = frames[0][1]
    times, files = zip(*(frame for frame in frames if frame[1] != blank), strict=True)
    changes = [n for n, file in enumerate(files) if n == 0 or file != files[n - 1]]
    pictures = [Image.open(io.BytesIO(files[n])).convert('RGB') for n in changes]
    colourful = max(pictures, key=lambda picture: len(picture.getcolors(2**24) or []))  # has flags
    palette = colourful.quantize(COLOURS)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    stays = [min(LONG_STAY, times[b] - times[a]) for a, b in pairwise(changes)]
    milliseconds = [round(1000 * stay) for stay in [FIRST_STAY, *stays, LAST_STAY]]
    last = pictures[-1]  # shows the lesson where nothing moves
    last.save(path, save_all=True, append_images=pictures, duration=milliseconds, loop=0)


def save(page: Page, name: str) -> None:
    """Save a picture of the page in full height, without the random port."""
    page.evaluate('document.getElementById("state").hidden = true')
    page.screenshot(path=DOCS / name, full_page=True)
    print(f'docs/{name}')


def main() -> None:
    """Make the pictures, and replace the tables."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser_path:
        sys.exit('screenshots.py: no Chromium is installed; try apt-get install chromium')
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        compare_again(README, folder, '--plot', str(DOCS / 'compare.png'))
        compare_again(DOCS / 'variants.md', folder, '--plot', str(DOCS / 'variants.png'))
        compare_again(DOCS / 'primes.md', folder)
        browser = playwright.chromium.launch(executable_path=browser_path, args=['--no-sandbox'])
        film(browser)
        picture_for_class(browser)
        page = browser.new_page(viewport={'width': 1100, 'height': 600})
        with watched_server(page) as base_url:
            run(base_url, *EVERY_CODE_AT_ONCE)
            save(page, 'watch-676.png')
        page.goto((folder / 'primes.html').as_uri())
        save(page, 'primes.png')
        browser.close()


if __name__ == '__main__':
    main()
