"""The picture of a comparison: times, what the server saw, and the curve of a scan."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from comparing.report import speed_up
from comparing.runs import Entry, last_duration

# Okabe and Ito's colours, which people with colour-blindness can tell apart
COLORS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9']
WIDTH = 10.0  # inches: 1000 pixels
DPI = 100
BARS_HEIGHT = 0.42  # inches per entry
TIMELINE_HEIGHT = 1.25  # inches per entry
SCAN_HEIGHT = 3.2  # inches
FRAME_HEIGHT = 0.9  # inches around the bars


def picture(entries: Sequence[Entry], suffix: str) -> bytes:
    """Return a PNG or SVG file with bars, and what else is known of the entries' runs."""
    complete = [entry for entry in entries if entry.runs]
    seen = [entry for entry in complete if entry.has_requests]
    scanned = [entry for entry in complete if entry.concurrency]
    heights = [FRAME_HEIGHT + BARS_HEIGHT * len(complete)]
    heights += [SCAN_HEIGHT] if scanned else []
    heights += [TIMELINE_HEIGHT] * len(seen)
    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=DPI, layout='constrained')
    axes = iter(figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0])
    colors = colors_of(complete)
    draw_bars(next(axes), complete, colors)
    if scanned:
        draw_scan(next(axes), scanned, colors)
    for entry, timeline in zip(seen, axes, strict=True):
        draw_timeline(timeline, entry, last_duration(seen), colors[entry.variant])
    if seen:
        timeline.set_xlabel('seconds since the first request')
    file = io.BytesIO()
    figure.savefig(file, format=suffix.removeprefix('.'))
    return file.getvalue()


def colors_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Return a colour for each variant."""
    variants = dict.fromkeys(entry.variant for entry in entries)
    return {variant: COLORS[number % len(COLORS)] for number, variant in enumerate(variants)}


def draw_bars(axes: Axes, entries: Sequence[Entry], colors: dict[str, str]) -> None:
    """Draw the median of each entry, and lines from the shortest run to the longest."""
    medians = [entry.median for entry in entries]
    ranges = [
        [entry.median - min(entry.elapsed) for entry in entries],
        [max(entry.elapsed) - entry.median for entry in entries],
    ]
    bars = axes.barh(
        [entry.name for entry in entries],
        medians,
        xerr=ranges,
        color=[colors[entry.variant] for entry in entries],
        error_kw={'ecolor': '#555555', 'capsize': 3},
    )
    labels = [f' {entry.median:.2f} s, {speed_up(entry, entries[0])}' for entry in entries]
    axes.bar_label(bars, labels, padding=6)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel('seconds, median of the runs; times as fast as the first')
    axes.spines[['top', 'right']].set_visible(False)


def draw_scan(axes: Axes, entries: Sequence[Entry], colors: dict[str, str]) -> None:
    """Draw the time of each variant over the requests at once, and the limit of each."""
    for variant in dict.fromkeys(entry.variant for entry in entries):
        points = sorted(
            (entry.concurrency or 0, entry.median, entry.limit if entry.has_requests else None)
            for entry in entries
            if entry.variant == variant
        )
        concurrency, medians, limits = zip(*points, strict=True)
        axes.plot(concurrency, medians, 'o-', color=colors[variant], label=variant)
        if None not in limits:
            label = f'limit for {variant}'
            axes.plot(concurrency, limits, '--', color=colors[variant], label=label)
    axes.set_xscale('log')
    ticks = sorted({entry.concurrency or 0 for entry in entries})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel('concurrent requests (-m)')
    axes.set_ylabel('seconds')
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[['top', 'right']].set_visible(False)


def draw_timeline(axes: Axes, entry: Entry, duration: float, color: str) -> None:
    """Draw each request of an entry's last run from its start to its end."""
    requests = sorted(entry.runs[-1].requests, key=lambda request: request.start)
    axes.barh(
        range(len(requests)),
        [request.end - request.start for request in requests],
        left=[request.start for request in requests],
        height=0.8 if len(requests) <= 40 else 1.0,
        color=color,
    )
    axes.set_xlim(0, duration)
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_title(f'{entry.name}: {len(requests)} requests', loc='left', fontsize=10)
    axes.spines[['top', 'right', 'left']].set_visible(False)
