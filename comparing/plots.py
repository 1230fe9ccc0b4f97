"""The picture of a comparison: times, timelines, and curves of a scan."""

import io
import warnings
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from comparing.entries import Entry, longest_shown
from support.console import plural

# Okabe and Ito's colours, which can be told apart by people with colour blindness
COLORS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9']
WIDTH = 10.0  # inches: 1000 pixels
LABEL_SPACE = 1.18  # times the longest time: room for the label after its bar


def picture(entries: Sequence[Entry], suffix: str) -> bytes:
    """Return a PNG or SVG file; ignore the user's matplotlibrc."""
    file = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings(action='ignore'):  # missing glyphs
        matplotlib.rcdefaults()
        matplotlib.rcParams['text.parse_math'] = False  # a $ in a name is a dollar sign
        figure_of(entries).savefig(file, format=suffix.removeprefix('.'))
    return file.getvalue()


def figure_of(entries: Sequence[Entry]) -> Figure:
    """Return the figure: bars, curves of a scan if there is one, and timelines."""
    complete = [entry for entry in entries if entry.is_complete]
    seen = [entry for entry in complete if entry.shown.spans]
    scanned = [entry for entry in complete if entry.concurrency]
    heights = [0.9 + 0.42 * len(complete)] + [3.2] * bool(scanned)
    heights += [0.9 + 0.25 * len(each.shown.lanes) if each.computes else 1.25 for each in seen]
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
        axes.tick_params(axis='x', labelbottom=entry is seen[-1])
        axes.set_xlabel('seconds since the first of these began' * (entry is seen[-1]))
        draw_timeline(axes, entry, colors[entry.variant])
    for axes in figure.axes:
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(axis='x', color='#dddddd')
        axes.set_axisbelow(True)
    return figure


def draw_bars(axes: Axes, entries: Sequence[Entry], first: Entry, colors: dict[str, str]) -> None:
    """Draw the median of each entry, and a line from its shortest run to its longest."""
    medians = [entry.median for entry in entries]
    below = [entry.median - min(entry.elapsed) for entry in entries]
    above = [max(entry.elapsed) - entry.median for entry in entries]
    rows, variants = range(len(entries)), [colors[entry.variant] for entry in entries]
    bars = axes.barh(rows, medians, xerr=[below, above], color=variants, ecolor='#555555')
    labels = [f' {entry.median:.2f} s{entry.mark}, {entry.speed_up(first)}' for entry in entries]
    axes.bar_label(bars, labels, padding=6)
    axes.set_yticks(rows, [entry.name for entry in entries])
    axes.invert_yaxis()
    mark = '; *: measured, not printed' * any(entry.mark for entry in entries)
    axes.set_xlabel(f'seconds (median); times as fast as the first{mark}')


def draw_scan(axes: Axes, entries: Sequence[Entry], colors: dict[str, str]) -> None:
    """Draw the time and the limit of each variant over the number of concurrent requests."""
    for variant in dict.fromkeys(entry.variant for entry in entries):
        points = sorted(
            (entry.concurrency or 0, entry.median, entry.limit if entry.shown.spans else None)
            for entry in entries
            if entry.variant == variant
        )
        at_once, medians, limits = zip(*points, strict=True)
        axes.plot(
            at_once, medians, 'o-', color=colors[variant], label=f' {variant}'
        )  # a leading _ would hide it
        axes.plot(at_once, limits, '--', color=colors[variant], label=f' limit for {variant}')
    ticks = sorted({entry.concurrency or 0 for entry in entries})
    axes.set(xscale='log', xlabel='concurrent requests (-m)', ylabel='seconds', ylim=(0, None))
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc='upper right')


def draw_timeline(axes: Axes, entry: Entry, color: str) -> None:
    """Draw a row per request; or a row per worker, whose bars are filled by its share of a CPU."""
    run = entry.shown
    spans = sorted([*run.spans, *run.held], key=lambda span: span.start)
    lanes = run.lanes if entry.computes else []
    rows = [lanes.index(span.lane) if lanes else row for row, span in enumerate(spans)]
    for is_used in (False, True):
        heights = [0.2 if span.kind else 0.8 * (span.share if is_used else 1) for span in spans]
        axes.barh(
            [row + 0.4 - height for row, height in zip(rows, heights, strict=True)],
            [span.end - span.start for span in spans],
            left=[span.start for span in spans],
            height=heights,
            align='edge',
            color=['#cccccc' if span.kind else color for span in spans],
            alpha=1 if is_used else 0.3,
            edgecolor='white',
            linewidth=0.8 if lanes and not is_used else 0,
        )
    axes.set_yticks(range(len(lanes)), [str(lane) for lane in lanes])
    axes.invert_yaxis()
    title = plural(len(run.spans), 'number' if lanes else 'request')
    title += '; filled: share of a CPU' * bool(lanes)
    title += '; grey: result waits for an earlier one' * bool(run.held)
    axes.set_title(f'{entry.name}: {title}', loc='left', fontsize=10)
