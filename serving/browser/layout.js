// Where things are, in pixels. This is arithmetic: charts.js draws what it lays out.

const MAX_ROW = {'': 22, wall: 36}, LEAST_ROW = 7, LABELLED_ROW = 14, PICTURED_ROW = 5  // heights
const FULL_HEIGHT = 480, LEAST_HEIGHT = 210  // of many rows together
const AXIS_HEIGHT = 16, AREA_HEIGHT = {'': 30, wall: 18}, MAX_EXTRA = 54  // of what is above the rows
const TEXT_HEIGHT = 12, LEAST_CODE = 7, FAMILY = 'system-ui, sans-serif'
const HEAD_SIZE = 0.8, LEAST_NAME = 9  // em, on the board
const LEAST_ON_BOARD = 12
const LEAST_TEXT = 0.0228  // of the window's height, for a class

function textWidth(text, size = TEXT_HEIGHT, weight = '') {
  pen.font = `${weight} ${size}px ${FAMILY}`
  return pen.measureText(text).width
}

// Return a text that is no wider than so many pixels, as its middle is left out.
function shorten(text, width, widthOf) {
  const letters = [...text]
  for (let left = letters.length; left > 1; left--) {
    const half = left / 2, start = letters.slice(0, Math.ceil(half)).join('')
    const short = left === letters.length ? text : `${start}…${letters.slice(-Math.floor(half)).join('')}`
    if (widthOf(short) <= width) return short
  }
  return text && `${letters[0]}…`
}

// Return the end of a time axis and the step between its ticks, in seconds. While a run goes on,
// the end is a tick, so that it changes now and then only.
function timeAxis(longest, width, isOver) {
  const least = Math.max(longest, 0.001) / Math.max(2, Math.min(10, width / 80))
  const power = 10 ** Math.floor(Math.log10(least))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(value => value >= least)
  return {end: (isOver ? longest : Math.ceil(longest / step) * step) || step, step}
}

// Return a height that is a whole number of the screen's pixels, if it is several.
function wholePixels(height) {
  const sharpness = devicePixelRatio * zoom
  return height * sharpness < 2 ? height : Math.floor(height * sharpness + 1e-6) / sharpness
}

// Return the least and the greatest height that the rows of a chart may have.
function heightsOf({rows}) {
  const most = Math.min(rows * MAX_ROW[view], view ? Infinity : FULL_HEIGHT)
  return {least: Math.max(rows, Math.min(rows * LEAST_ROW, LEAST_HEIGHT) / zoom), most: Math.max(rows, most)}
}

// Share a height out among charts, to none more than it needs, nor less than it can do with.
function shareOut(total, charts) {
  const shares = new Map()
  let rest = total, left = charts.length
  for (const chart of [...charts].sort((a, b) => a.most - b.most)) {
    const share = Math.max(chart.least, Math.min(chart.most, rest / left--))
    shares.set(chart, share)
    rest -= share
  }
  return {shares: charts.map(chart => shares.get(chart)), rest: Math.max(0, rest)}
}

// Return where the parts of a chart are. What its rows leave on the wall goes to the area.
function layOut(run, {width, space, hasAxis, scale}) {
  const rows = Math.max(1, run.rows), sharpness = devicePixelRatio * zoom
  const row = wholePixels(Math.min(space / rows, MAX_ROW[view]))
  const top = hasAxis ? AXIS_HEIGHT : 0
  const extra = view ? Math.max(0, Math.min(space - rows * row, MAX_EXTRA)) : 0
  const rowsTop = wholePixels(top + AREA_HEIGHT[view] + extra)
  const gap = (row < 12 ? 1 : 2) * Math.floor(sharpness) / sharpness
  const foot = run.count.held && row > 3 ? wholePixels(Math.max(1, row / 6)) : 0  // for what waits
  const codes = Math.min(TEXT_HEIGHT, row * 1.05)
  return {
    width, row, top, rowsTop, foot, scale, hasAxis, height: rowsTop + rows * row,
    thickness: row > 3 ? row - gap - foot : row,
    codes: codes * zoom >= LEAST_CODE ? codes : 0,  // the height of codes, if they can be read
    x: time => gutter + (time - run.start) / scale.end * (width - gutter - margin),
  }
}

// Return where the bars are, each with the room to the next one in its row.
function barsOf(run, {x, row, rowsTop, thickness, foot, width}) {
  const bars = run.requests.map(request => {
    const left = x(request.start), end = x(Math.min(request.end ?? now, now))
    const right = Math.max(left + 1, end - (end - left > 3 ? 1 : 0))  // bars do not touch
    const kind = outcome(request), isBelow = kind === 'held' && foot > 0
    const height = isBelow ? foot : thickness
    const middle = rowsTop + request.row * row + (isBelow ? thickness : 0) + height / 2
    return {request, kind, left, right, middle, height}
  })
  const next = new Map()
  for (const bar of [...bars].reverse()) {
    bar.room = (next.get(bar.request.row) ?? width) - bar.right
    if (bar.kind !== 'held') next.set(bar.request.row, bar.left)
  }
  return bars
}

// Return where the code of a bar is, with how it ended unless well, and where its flag is: on the
// bar, or else beside it where there is room. What waits has them beside it.
function labelOf({request, kind, left, right, height, room}, {row, codes}, image) {
  const code = request.code.slice(0, 20)
  const ending = {missing: ' 404', gone: ' ✕', error: ` ${request.status}`}[kind] ?? ''
  const fitting = space => !codes ? '' :
    [code + ending, code].find(text => textWidth(text, codes) + 6 < space) ?? ''
  const frame = row >= LABELLED_ROW ? 2 : 0.5, flagHeight = height - 2 * frame
  const flag = image && kind === 'ok' ? flagHeight * image.width / image.height : 0
  const isBroad = row >= LABELLED_ROW && kind !== 'waiting'
  const onBar = isBroad ? fitting(right - left - 2) : ''
  const beside = onBar ? '' : fitting(room - (flag && flag + 5))
  const free = right - left - (onBar ? textWidth(onBar, codes) + 14 : 2)
  const flagOnBar = flag && (onBar || !beside) && free > Math.min(flag, height)
  const flagWidth = flagOnBar ? Math.min(flag, free) : flag + 4 > room ? 0 : flag
  const flagAt = flagOnBar ? right - flagWidth - frame : right + 4
  return {
    text: onBar || beside, isOnBar: Boolean(onBar), flagAt, flagWidth, flagHeight,
    textAt: onBar ? left + 4 : right + 4 + (!flagOnBar && flagWidth && flagWidth + 3),
  }
}

// Return the size of the board's text, how wide names may be, and which columns there is room for.
// The last one goes first, then the middle of names.
function layOutBoard(heads, rows, width, height) {
  const em = text => textWidth(text, 100) / 100
  const columns = heads.map((head, place) => 1 + Math.max(
    ...head.split(' ').map(word => HEAD_SIZE * em(word)), ...rows.map(row => em(String(row[place])))))
  const sum = columns.reduce((total, column) => total + column, 0)
  const lines = 1.28 * rows.length + 2.4 * HEAD_SIZE  // each with a border of a pixel
  const largest = Math.max(LEAST_ON_BOARD, Math.min((height - rows.length - 2) / lines, height * 0.06))
  const usual = Math.max(LEAST_ON_BOARD, Math.min(largest, height * LEAST_TEXT))
  for (const [left, count] of [[sum, heads.length], [sum - columns.at(-1), heads.length - 1]]) {
    const size = Math.min(largest, width / left)
    if (size >= usual) return {size, count, name: Infinity}
  }
  const others = sum - columns[0] - columns.at(-1)
  const name = Math.max(Math.min(columns[0], LEAST_NAME), width / usual - others)
  const size = Math.max(LEAST_ON_BOARD, Math.min(usual, width / (name + others)))
  return {size, count: heads.length - 1, name: name - 1}
}
