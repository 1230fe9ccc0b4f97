#!/usr/bin/env python3
"""Make docs/watch.gif, watch.png, watch-676.png and primes.png: what slow_server.py's page shows.

    $ pip install '.[browser]'
    $ python3 tools/screenshots.py

It takes Debian's package chromium, or another Chromium that is installed.
"""

import io
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

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
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
    """Run slow_server.py for as long as the block takes, and open its page; yield its base URL."""
    command = [sys.executable, str(ROOT / 'slow_server.py'), '0', *options]
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdout=pipe, stderr=silent, text=True) as server:
        assert server.stdout
        try:
            base_url, page_url = (server.stdout.readline().split()[-1] for _ in range(2))
            page.goto(page_url)
            yield base_url
        finally:
            server.terminate()


def run(base_url: str, script: str, *args: str) -> None:
    """Run a script in a folder of its own; then wait until its run is over for the page too."""
    command = [sys.executable, str(ROOT / script), *args, '-s', base_url]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    time.sleep(PAUSE)


def film(browser: Browser) -> None:
    """Make a moving picture of the wall while three scripts run, and a still one for print."""
    page = browser.new_page(viewport=WALL)
    with watched_server(page, '--min-delay', '.05', '--max-delay', '.35') as base_url:
        page.goto(f'{page.url}#wall')
        frames = []
        for script in SERIES:
            with ThreadPoolExecutor(1) as executor:
                running = executor.submit(run, base_url, script)
                while not running.done():
                    start = time.monotonic()
                    frames.append((start, page.screenshot()))
                    time.sleep(max(0.0, FRAME - (time.monotonic() - start)))
        sharp = browser.new_page(viewport=WALL, device_scale_factor=2)
        sharp.goto(page.url)
        sharp.wait_for_timeout(1000 * PAUSE)
        sharp.screenshot(path=ROOT / 'docs/watch.png')
    save_film(frames, ROOT / 'docs/watch.gif')
    print('docs/watch.gif\ndocs/watch.png')


def save_film(frames: list[tuple[float, bytes]], path: Path) -> None:
    """Save a moving picture, given when each frame was taken: first its end, then all of it."""
    blank = frames[0][1]
    times, files = zip(*(frame for frame in frames if frame[1] != blank), strict=True)
    changes = [n for n, file in enumerate(files) if n == 0 or file != files[n - 1]]
    pictures = [Image.open(io.BytesIO(files[n])).convert('RGB') for n in changes]
    colourful = max(pictures, key=lambda picture: len(picture.getcolors(2**24) or []))  # has flags
    palette = colourful.quantize(COLOURS)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    stays = [min(LONG_STAY, times[b] - times[a]) for a, b in pairwise(changes)]
    milliseconds = [round(1000 * stay) for stay in [FIRST_STAY, *stays, LAST_STAY]]
    last = pictures[-1]  # which shows the lesson where nothing moves
    last.save(path, save_all=True, append_images=pictures, duration=milliseconds, loop=0)


def save(page: Page, name: str) -> None:
    """Save a picture of the whole page, without the port that was free by chance."""
    page.evaluate('document.getElementById("state").hidden = true')
    page.screenshot(path=ROOT / 'docs' / name, full_page=True)
    print(f'docs/{name}')


def main() -> None:
    """Make the pictures."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser_path:
        sys.exit('screenshots.py: no Chromium is installed; try apt-get install chromium')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=['--no-sandbox'])
        film(browser)
        page = browser.new_page(viewport={'width': 1100, 'height': 600})
        with watched_server(page) as base_url:
            run(base_url, *EVERY_CODE_AT_ONCE)
            save(page, 'watch-676.png')
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(ROOT / 'compare.py'), 'primes', '--html', 'page.html']
            subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
            page.goto(Path(folder, 'page.html').as_uri())
            save(page, 'primes.png')
        browser.close()


if __name__ == '__main__':
    main()
