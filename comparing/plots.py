"""The picture of a comparison: times, what was under way when, and the curve of a scan."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from comparing.entries import Entry, longest_shown

# Okabe and Ito's colours, which people with colour-blindness can tell apart
COLORS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9']
WIDTH = 10.0  # inches: 1000 pixels
LABEL_SPACE = 1.18  # of the longest time, for the label behind its bar


def picture(entries: Sequence[Entry], suffix: str) -> bytes:
    """Return a PNG or SVG file."""
    complete = [entry for entry in entries if entry.is_complete]
    seen = [entry for entry in complete if entry.has_timeline]
    scanned = [entry for entry in complete if entry.concurrency]
    heights = [0.9 + 0.42 * len(complete)] + [3.2] * bool(scanned) + [1.4] * len(seen)
    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=100, layout='constrained')
    bars, *others = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
    variants = list(dict.fromkeys(entry.variant for entry in complete))
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(variants)}
    draw_bars(bars, complete, entries[0], colors)
    longest = max([longest_shown(seen), *(max(entry.elapsed) for entry in complete)])
    bars.set_xlim(0, longest * LABEL_SPACE)
    if scanned:
        draw_scan(others.pop(0), scanned, colors)
    for entry, axes in zip(seen, others, strict=True):
        axes.sharex(bars)
        draw_timeline(axes, entry, colors[entry.variant])
    for axes in figure.axes:
        axes.spines[['top', 'right']].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format=suffix.removeprefix('.'))
    return file.getvalue()


def draw_bars(axes: Axes, entries: Sequence[Entry], first: Entry, colors: dict[str, str]) -> None:
    """Draw the median of each entry, and lines from the shortest run to the longest."""
    bars = axes.barh(
        range(len(entries)),
        [entry.median for entry in entries],
        xerr=[
            [entry.median - min(entry.elapsed) for entry in entries],
            [max(entry.elapsed) - entry.median for entry in entries],
        ],
        color=[colors[entry.variant] for entry in entries],
        error_kw={'ecolor': '#555555'},
    )
    labels = [f' {entry.median:.2f} s{entry.mark}, {entry.speed_up(first)}' for entry in entries]
    axes.bar_label(bars, labels, padding=6)
    axes.set_yticks(range(len(entries)), [entry.name for entry in entries])
    axes.invert_yaxis()
    axes.set_xlabel('seconds (median); times as fast as the first')


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
        axes.plot(concurrency, limits, '--', color=colors[variant], label=f'limit for {variant}')
    ticks = sorted({entry.concurrency or 0 for entry in entries})
    axes.set_xscale('log')
    axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.set_xlabel('concurrent requests (-m)')
    axes.set_ylabel('seconds')
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def draw_timeline(axes: Axes, entry: Entry, color: str) -> None:
    """Draw a row for each request, or for each worker, whose bars are as full as it had a CPU."""
    run = entry.shown
    spans = sorted(run.work, key=lambda span: span.start)
    lanes = list(dict.fromkeys(str(span.lane) for span in run.work)) if run.computes else []
    for is_used in (False, True):
        heights = [0.8 * (span.share if is_used else 1) for span in spans]
        axes.barh(
            [lanes.index(str(span.lane)) if lanes else row for row, span in enumerate(spans)],
            [span.end - span.start for span in spans],
            left=[span.start for span in spans],
            height=heights,
            color=color,
            alpha=1 if is_used else 0.3,
            edgecolor='white',
            linewidth=0.5 * bool(lanes),
        )
    axes.set_yticks(range(len(lanes)), lanes)
    axes.invert_yaxis()
    noun = 'numbers; filled: share of a CPU' if lanes else 'requests'
    axes.set_title(f'{entry.name}: {len(spans)} {noun}', loc='left', fontsize=10)
