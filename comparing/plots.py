"""The picture of a comparison: times, what the server saw, and the curve of a scan."""

import io
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from comparing.entries import Entry, last_duration
from comparing.work import Call, Work

# Okabe and Ito's colours, which people with colour-blindness can tell apart
COLORS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9']
WIDTH = 10.0  # inches: 1000 pixels
DPI = 100
BARS_HEIGHT = 0.42  # inches per entry
TIMELINE_HEIGHT = 1.25  # inches per entry
SCAN_HEIGHT = 3.2  # inches
FRAME_HEIGHT = 0.9  # inches around the bars
LANE_HEIGHT = 0.25  # inches per worker
LABEL_SPACE = 1.18  # of the longest time, for the label behind its bar
HELD = '#cccccc'
GRID = '#dddddd'


def picture(entries: Sequence[Entry], suffix: str) -> bytes:
    """Return a PNG or SVG file with bars, and what else is known of the entries' runs."""
    complete = [entry for entry in entries if entry.is_complete]
    seen = [entry for entry in complete if entry.has_timeline]
    scanned = [entry for entry in complete if entry.concurrency]
    heights = [FRAME_HEIGHT + BARS_HEIGHT * len(complete)]
    heights += [SCAN_HEIGHT] if scanned else []
    heights += [timeline_height(entry) for entry in seen]
    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=DPI, layout='constrained')
    bars, *others = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
    colors = colors_of(complete)
    draw_bars(bars, complete, entries[0], colors)
    longest = max([last_duration(seen), *(max(entry.elapsed) for entry in complete)])
    bars.set_xlim(0, longest * LABEL_SPACE)
    if scanned:
        draw_scan(others.pop(0), scanned, colors)
    for entry, timeline in zip(seen, others, strict=True):
        timeline.sharex(bars)
        draw_timeline(timeline, entry, colors[entry.variant])
        timeline.tick_params(axis='x', length=0, labelbottom=timeline is others[-1])
    if seen:
        begin = 'number began' if seen[-1].runs[-1].work else 'request arrived'
        others[-1].set_xlabel(f'seconds since the first {begin}')
    file = io.BytesIO()
    figure.savefig(file, format=suffix.removeprefix('.'))
    return file.getvalue()


def timeline_height(entry: Entry) -> float:
    """Return the height of an entry's timeline, in inches."""
    work = entry.runs[-1].work
    return FRAME_HEIGHT + LANE_HEIGHT * len(work.lanes) if work else TIMELINE_HEIGHT


def colors_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Return a colour for each variant."""
    variants = dict.fromkeys(entry.variant for entry in entries)
    return {variant: COLORS[number % len(COLORS)] for number, variant in enumerate(variants)}


def draw_bars(axes: Axes, entries: Sequence[Entry], first: Entry, colors: dict[str, str]) -> None:
    """Draw the median of each entry, and lines from the shortest run to the longest."""
    medians = [entry.median for entry in entries]
    is_repeated = any(len(entry.runs) > 1 for entry in entries)
    ranges = [
        [entry.median - min(entry.elapsed) for entry in entries],
        [max(entry.elapsed) - entry.median for entry in entries],
    ]
    bars = axes.barh(
        [entry.name for entry in entries],
        medians,
        xerr=ranges if is_repeated else None,
        color=[colors[entry.variant] for entry in entries],
        error_kw={'ecolor': '#555555', 'capsize': 3},
    )
    labels = [f' {entry.median:.2f} s{entry.mark}, {entry.speed_up(first)}' for entry in entries]
    axes.bar_label(bars, labels, padding=6)
    axes.invert_yaxis()
    text = f'seconds{", median of the runs" * is_repeated}; times as fast as the first'
    axes.set_xlabel(text + '; *: not printed, but seen' * any(entry.mark for entry in entries))
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis='x', color=GRID)
    axes.set_axisbelow(True)


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
    axes.xaxis.minorticks_off()
    axes.set_xlabel('concurrent requests (-m)')
    axes.set_ylabel('seconds')
    if any(entry.median for entry in entries):  # a coarse clock may have measured nothing
        axes.set_yscale('log')
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_major_formatter('{x:g}')
        axes.yaxis.set_minor_formatter('{x:g}')
    axes.legend(frameon=False)
    axes.spines[['top', 'right']].set_visible(False)


def draw_timeline(axes: Axes, entry: Entry, color: str) -> None:
    """Draw what an entry's last run did when."""
    run = entry.runs[-1]
    if run.work:
        title = draw_work(axes, run.work, color)
    else:
        title = f'{len(run.requests)} requests'
        requests = sorted(run.requests, key=lambda request: request.start)
        axes.barh(
            range(len(requests)),
            [request.end - request.start for request in requests],
            left=[request.start for request in requests],
            height=0.8 if len(requests) <= 40 else 1.0,
            color=color,
        )
        axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_title(f'{entry.name}: {title}', loc='left', fontsize=10)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    axes.grid(axis='x', color=GRID)
    axes.set_axisbelow(True)


def draw_work(axes: Axes, work: Work, color: str) -> str:
    """Draw a lane for each worker, behind whose calls results may wait; return a title."""
    calls = [call for call in work.calls if not call.kind]
    held = [call for call in work.calls if call.kind]
    draw_spans(axes, held, [0.3] * len(held), color=HELD, zorder=0)
    draw_spans(axes, calls, [0.8] * len(calls), color='white')
    draw_spans(axes, calls, [0.8] * len(calls), color=color, alpha=0.3)
    draw_spans(axes, calls, [0.8 * call.share for call in calls], color=color)
    for call in calls:
        axes.plot([call.start] * 2, [call.lane - 0.4, call.lane + 0.4], color='white', lw=0.8)
    axes.set_yticks(range(len(work.lanes)), work.lanes)
    axes.tick_params(axis='y', length=0)
    title = 'a bar is a number; filled: share of the time in which it had a CPU'
    return f'{title}; grey: results that wait for an earlier one' if held else title


def draw_spans(axes: Axes, calls: Sequence[Call], heights: list[float], **options: Any) -> None:
    """Draw a bar for each call, which stands on the lower edge of its lane."""
    axes.barh(
        [call.lane + 0.4 - height for call, height in zip(calls, heights, strict=True)],
        [call.end - call.start for call in calls],
        left=[call.start for call in calls],
        height=heights,
        align='edge',
        **options,
    )
