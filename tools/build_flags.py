#!/usr/bin/env python3
"""Rebuild flags/xx/xx.gif from the PNG files of the npm package svg-country-flags.

    npm pack svg-country-flags@1.2.10
    tar xzf svg-country-flags-1.2.10.tgz
    pip install pillow
    python3 tools/build_flags.py package/png250px

Check the result by eye: python3 -m http.server shows a flag at /flags/br/br.gif.
"""

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
COLORS = 256


def convert(source: Path, target: Path) -> None:
    """Write the PNG file source as the GIF file target, on a white background."""
    with Image.open(source) as png:
        rgba = png.convert('RGBA')
    background = Image.new('RGBA', rgba.size, 'white')
    flag = Image.alpha_composite(background, rgba).convert('RGB')
    target.parent.mkdir(parents=True, exist_ok=True)
    palette = Image.Quantize.MEDIANCUT
    flag.quantize(COLORS, palette, dither=Image.Dither.NONE).save(target, optimize=True)


def main(png_dir: Path) -> None:
    """Convert one PNG for each code in country_codes.txt."""
    codes = (ROOT / 'country_codes.txt').read_text('ascii').lower().split()
    for cc in codes:
        convert(png_dir / f'{cc}.png', ROOT / 'flags' / cc / f'{cc}.gif')
    print(f'{len(codes)} flags written')


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(f'usage: {sys.argv[0]} PNG_DIRECTORY')
    main(Path(sys.argv[1]))
