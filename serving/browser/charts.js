// Return the end of a time axis and the step between its ticks, in seconds. While a run goes on,
// the end is a tick, so that it changes now and then only.
function timeAxis(longest, width, isOver) {
  const least = Math.max(longest, 0.001) / Math.max(2, Math.min(10, width / 80))
  const power = 10 ** Math.floor(Math.log10(least))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(value => value >= least)
  return {end: (isOver ? longest : Math.ceil(longest / step) * step) || step, step}
}

function write(context, text, x, y) {  // with a halo, so that it can be read on anything
  Object.assign(context, {strokeStyle: colour('panel'), lineWidth: 4, lineJoin: 'round'})
  context.setLineDash([])
  context.strokeText(text, x, y)
  context.fillStyle = colour('text')
  context.fillText(text, x, y)
}

function drawBars(context, kind, height, bars) {
  const {thin, dash} = OUTCOMES[kind]
  context.strokeStyle = context.fillStyle = colour(kind)
  if (kind === 'computing' || dash.length && !thin) {  // pale ground
    context.globalAlpha = 0.35
    for (const {left, right, middle} of bars) {
      context.fillRect(left, middle - height / 2, right - left, height)
    }
    context.globalAlpha = 1
  }
  context.lineWidth = thin ? Math.max(1, height * 0.4) : height
  context.setLineDash(dash)
  for (const {left, right, middle, request: {share = 1}} of bars) {
    context.lineDashOffset = middle * 6.18  // or else the patterns of thin rows add up to stripes
    context.beginPath()
    context.moveTo(left, middle)
    context.lineTo(left + share * (right - left), middle)
    context.stroke()
  }
  if (kind !== 'computing' || height < 4) return
  context.lineWidth = 1
  for (const {left, right, middle} of bars) {
    context.strokeRect(left + 0.5, middle - height / 2 + 0.5, right - left - 1, height - 1)
  }
}

function drawAxis(context, width, height, {end, step}) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  context.setLineDash([1, 3])
  context.strokeStyle = colour('line')
  for (let tick = 0; tick * step <= end * (1 + 1e-9); tick++) {
    const x = Math.min(width - 1, Math.round(gutter + tick * step / end * (width - gutter))) + 0.5
    const text = `${(tick * step).toFixed(decimals)} s`
    context.beginPath()
    context.moveTo(x, 0)
    context.lineTo(x, height)
    context.stroke()
    context.fillStyle = colour('muted')
    context.fillText(text, x < width - 40 ? x + 4 : x - 4 - context.measureText(text).width, 12)
  }
}

// Draw how many requests are in flight over time; its greatest height is the most of them.
function drawCurve(context, run, x) {
  const bottom = rowsTop - 4, end = x(Math.min(run.end, now))
  const y = level => bottom - Math.max(0, level) / Math.max(1, run.most) * (bottom - axisHeight - 4)
  let last = 0
  context.beginPath()
  context.moveTo(x(run.start), bottom)
  for (const [time, level] of run.levels) {
    if (time > now) break
    context.lineTo(x(time), y(last))
    context.lineTo(x(time), y(last = level))
  }
  context.lineTo(end, y(last))
  context.lineTo(end, bottom)
  context.fillStyle = colour('waiting')
  context.fill()
  context.fillStyle = colour('muted')
  context.fillText(run.most, gutter - 4 - context.measureText(run.most).width, y(run.most) + 9)
  if (last > 0 && !view) write(context, `${last} in flight`, end + 5, axisHeight + 8)
}

function drawLimit(context, at, height) {
  context.fillStyle = colour('panel')
  context.fillRect(at - 1.5, axisHeight - 4, 4.5, height)
  context.fillStyle = colour('text')
  context.fillRect(at, axisHeight - 4, 1.5, height)
}

function drawLimitLabel(context, run, at, width) {
  const text = `limit ${seconds(run.limit)}${isOver(run) ? '' : ' so far'}`
  const space = context.measureText(text).width + 6
  write(context, text, at + space < width ? at + 5 : at - space, rowsTop - 8)
}

// Write on a bar, or beside it, which flag it is and how it ended unless well; show the flag. A row
// that is thinner than text has the flag only.
function drawLabel(context, {kind, request, left, right, middle, height, room}, hasText) {
  const code = request.code.slice(0, 20), {thin} = OUTCOMES[kind]
  const ending = {missing: ' 404', gone: ' ✕', error: ` ${request.status}`}[kind] ?? ''
  const widthOf = text => context.measureText(text).width
  const fitting = space => [code + ending, code, ''].find(text => widthOf(text) + 8 < space)
  const text = hasText ? fitting(right - left) : ''
  if (hasText && !text) return write(context, fitting(room) ?? '', right + 4, middle + 4)
  if (kind === 'computing') return write(context, text, left + 4, middle + 4)
  if (text) {
    context.fillStyle = thin ? colour('panel') : colour(kind)  // a pattern would be hard to read on
    context.fillRect(left + 1, middle - height / 2, widthOf(text) + 6, height)
    context.fillStyle = thin ? colour('text') : colour('on-bar')
    context.fillText(text, left + 4, middle + 4)
  }
  const space = right - left - widthOf(text) - 14, frame = hasText ? 2 : 0.5
  const image = kind === 'ok' && space > height && picture(request)
  if (image) {
    const width = Math.min(space, (height - 2 * frame) * image.width / image.height)
    context.drawImage(image, right - width - frame, middle - height / 2 + frame, width, height - 2 * frame)
  }
}

// Return where the flag is: on this server, whatever path a client has sent, or in the page.
function pictureOf({path, picture}) {
  const isFlag = !embedded && /^(\/\w+)+\.gif$/.test(path)
  return picture ?? (isFlag ? `${path.slice(1)}?picture` : '')
}

// Return the flag once it is loaded.
function picture(request) {
  const source = pictureOf(request)
  if (source && !pictures.has(source)) {
    const image = new Image()
    image.onload = () => { stale = true }
    image.src = source
    pictures.set(source, image)
  }
  const image = pictures.get(source)
  return image?.complete && image.naturalWidth ? image : null
}

// Return where the bars are, each with the room to the next one in its row.
function barsOf(run, x, row, thickness, foot, width) {
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

function draw(run) {
  const {canvas} = run, sharpness = devicePixelRatio * zoom
  const row = Math.min(MAX_ROW, run.space ? wholePixels(run.space / run.rows) :
    Math.max(1, Math.floor(FULL_HEIGHT / run.rows)))
  const width = root.matches('.paper') ? USUAL_WIDTH : canvas.clientWidth / zoom
  const height = rowsTop + run.rows * row
  canvas.style.height = `${height * zoom}px`
  canvas.width = Math.round(width * sharpness)
  canvas.height = Math.round(height * sharpness)
  const context = canvas.getContext('2d')
  context.scale(sharpness, sharpness)
  context.font = FONT
  context.fillStyle = colour('panel')  // or else a saved image has no ground
  context.fillRect(0, 0, width, height)
  const scale = byId('same').checked ? axis : timeAxis(span(run), width, isOver(run))
  const x = time => gutter + (time - run.start) / scale.end * (width - gutter)
  drawAxis(context, width, height, scale)
  drawCurve(context, run, x)
  const gap = (row < 12 ? 1 : 2) * Math.floor(sharpness) / sharpness
  const foot = run.count.held && row > 3 ? wholePixels(Math.max(1, row / 6)) : 0  // for what waits
  const thickness = row > 3 ? row - gap - foot : row
  run.bars = barsOf(run, x, row, thickness, foot, width)
  for (const kind of Object.keys(OUTCOMES).reverse()) {  // what waits is behind the others
    const bars = run.bars.filter(bar => bar.kind === kind)
    if (bars.length) drawBars(context, kind, bars[0].height, bars)
  }
  const hasText = row >= LABELLED_ROW, limitAt = x(run.start + run.limit)
  if (run.limit) drawLimit(context, limitAt, height)  // below all texts
  if (row >= PICTURED_ROW) {
    const named = run.bars.filter(bar => bar.kind !== 'held')
    named.forEach(bar => drawLabel(context, bar, hasText))
  }
  if (hasText) {
    run.lanes.forEach((lane, index) => write(context, lane, 0, rowsTop + (index + 0.5) * row + 4))
  }
  if (run.limit) drawLimitLabel(context, run, limitAt, width)
  context.strokeStyle = colour('text')
  context.setLineDash([])
  for (const {request, left, right, middle, height} of run.bars) {
    if (request !== run.selected) continue
    context.lineWidth = 2
    context.strokeRect(left - 1, middle - height / 2 - 1, right - left + 2, height + 2)
  }
  Object.assign(canvas.dataset, {lanes: run.rows, bars: run.bars.length})
  Object.assign(run, {row, changed: false, drawnAt: now})
}

// Return a height that is a whole number of the screen's pixels, if it is several.
function wholePixels(height) {
  const sharpness = devicePixelRatio * zoom
  return height * sharpness < 2 ? height : Math.floor(height * sharpness) / sharpness
}

const span = run => Math.max(elapsed(run), run.limit)

// Return the runs with charts, from top to bottom: on the wall few, the newest at the bottom.
function charted() {
  if (view === 'board') return []
  if (embedded) return runs
  const pinned = runs.filter(run => run.pinned), others = runs.filter(run => !run.pinned)
  const shown = view === 'wall' ? [...pinned, ...others].slice(0, MAX_ON_WALL) :
    [...pinned, ...others.slice(0, MAX_CHARTS)]
  const inOrder = runs.filter(run => shown.includes(run))
  return view === 'wall' ? inOrder.reverse() : inOrder
}

// Let an element have these children; those that are there already keep the focus.
function arrange(parent, children) {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove()
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null)
  })
}

// Share the height of the window out among the charts on the wall, to none more than it needs.
function shareHeight(shown) {
  const isWall = view === 'wall' && !root.matches('.paper')
  if (!isWall) return void shown.forEach(run => { run.space = 0 })
  const others = document.body.offsetHeight - shown.reduce((sum, run) => sum + run.canvas.offsetHeight, 0)
  let rest = (innerHeight - others) / zoom - shown.length * rowsTop, left = shown.length
  for (const run of [...shown].sort((a, b) => a.rows - b.rows)) {
    const space = Math.max(run.rows, Math.min(run.rows * MAX_ROW, rest / left--))
    stale ||= space !== run.space
    run.space = space
    rest -= space
  }
}

function drawCharts() {
  const shown = charted()
  arrange(byId('charts'), shown.map(run => run.figure))
  arrange(byId('details'), shown.map(run => run.details))
  const longest = Math.max(0, ...shown.map(span))
  const next = timeAxis(longest, byId('charts').clientWidth / zoom, shown.every(isOver))
  pen.font = FONT
  const texts = shown.flatMap(run => [run.most, ...run.lanes])
  const nextGutter = Math.max(0, ...texts.map(text => Math.ceil(pen.measureText(text).width) + 8))
  stale ||= next.end !== axis?.end || nextGutter !== gutter
  axis = next
  gutter = nextGutter
  shareHeight(shown)
  for (const run of shown) {
    if (stale || run.changed || run.drawnAt < Math.min(run.end, now)) draw(run)
  }
  stale = false
}

function drawLegend() {
  byId('legend').replaceChildren()
  for (const [kind, {name, work = false}] of Object.entries(OUTCOMES)) {
    if (work !== computes) continue
    const item = element('li', '', byId('legend'))
    const canvas = Object.assign(element('canvas', '', item), {width: 72, height: 24})
    const context = canvas.getContext('2d')
    context.scale(2, 2)
    const request = work ? {share: 0.5} : {}
    if (kind === 'held') request.share = 1
    drawBars(context, kind, kind === 'held' ? 4 : 12, [{left: 0, right: 36, middle: 6, request}])
    element('span', name, item)
  }
  stale = true
}
