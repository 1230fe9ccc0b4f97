const fontOf = size => `${size}px ${FAMILY}`

function write(context, text, x, y, halo = 4) {  // with a halo, so that it can be read on anything
  Object.assign(context, {strokeStyle: colour('panel'), lineWidth: halo, lineJoin: 'round'})
  context.setLineDash([])
  context.strokeText(text, x, y)
  context.fillStyle = colour('text')
  context.fillText(text, x, y)
}

function drawBars(context, kind, height, bars) {
  const {thin, dash} = OUTCOMES[kind]
  if (kind === 'waiting' && height > 3) return drawWaiting(context, height, bars)
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

// Draw what waits now: pale, in a frame of dashes that run, if the reader wants motion.
function drawWaiting(context, height, bars) {
  const line = Math.min(2, height / 4)
  Object.assign(context, {fillStyle: colour('glow'), strokeStyle: colour('waiting'), lineWidth: line})
  context.setLineDash(calm.matches ? [] : [6, 2])
  context.lineDashOffset = calm.matches ? 0 : -now * 16 % 8
  for (const {left, right, middle} of bars) {
    context.fillRect(left, middle - height / 2, right - left, height)
    const width = Math.max(0.5, right - left - line)
    context.strokeRect(left + line / 2, middle - (height - line) / 2, width, height - line)
  }
}

function drawAxis(context, {width, height, top, hasAxis, scale: {end, step}, x}, start) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  context.setLineDash([1, 3])
  Object.assign(context, {strokeStyle: colour('line'), lineWidth: 1})
  for (let tick = 0; tick * step <= end * (1 + 1e-9); tick++) {
    const at = Math.min(width - 1, Math.round(x(start + tick * step))) + 0.5
    const text = `${(tick * step).toFixed(decimals)} s`, space = textWidth(text)
    context.beginPath()
    context.moveTo(at, hasAxis ? 0 : top + 4)
    context.lineTo(at, height)
    context.stroke()
    context.fillStyle = colour('muted')
    if (hasAxis) context.fillText(text, at + space + 4 < width ? at + 3.5 : at - 4 - space, 12)
  }
}

// Draw how many requests are in flight over time; its greatest height is the most of them.
function drawArea(context, run, {top, rowsTop, x}) {
  const bottom = rowsTop - 4, end = x(Math.min(run.end, now))
  const y = level => bottom - Math.max(0, level) / Math.max(1, run.most) * (bottom - top - 4)
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
  context.fillStyle = colour('area')
  context.fill()
  context.fillStyle = colour('muted')
  context.fillText(run.most, gutter - 4 - textWidth(run.most), top + 13)
  if (last > 0 && !view) write(context, inFlight(last), end + 6, rowsTop - 4)
}

// Draw the limit as a line behind the bars, from above the area to the label beside it.
function drawLimit(context, run, {top, height, x}) {
  const at = x(run.start + run.limit), label = Math.max(at, x(Math.min(run.end, now))) + 6
  Object.assign(context, {strokeStyle: colour('text'), lineWidth: 1.5})
  context.setLineDash([])
  context.beginPath()
  context.moveTo(at, height)
  context.lineTo(at, top + 2)
  context.lineTo(label - 2, top + 2)
  context.stroke()
  write(context, limitOf(run), label, top + 12)
}

const limitOf = run => `limit ${seconds(run.limit)}`
const inFlight = number => `${number} in flight`

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

function drawLabel(context, bar, plan) {
  const image = bar.kind === 'ok' ? picture(bar.request) : null
  const {kind, middle, height} = bar, label = bar.label = labelOf(bar, plan, image)
  const {text, textAt, isOnBar, flagAt, flagWidth, flagHeight} = label
  const base = middle + plan.codes * 0.36
  if (flagWidth) context.drawImage(image, flagAt, middle - flagHeight / 2, flagWidth, flagHeight)
  context.font = fontOf(plan.codes)
  if (!text) return
  if (!isOnBar || kind === 'computing') return write(context, text, textAt, base, plan.row < LABELLED_ROW ? 1.5 : 4)
  const {thin} = OUTCOMES[kind]
  context.fillStyle = thin ? colour('panel') : colour(kind)  // a pattern would be hard to read on
  context.fillRect(textAt - 3, middle - height / 2, textWidth(text, plan.codes) + 6, height)
  context.fillStyle = thin ? colour('text') : colour('on-bar')
  context.fillText(text, textAt, base)
}

// Return a blank canvas of a size in pixels, which are as sharp as the screen's.
function prepare(canvas, width, height) {
  const sharpness = devicePixelRatio * zoom
  canvas.style.height = `${height * zoom}px`
  canvas.width = Math.round(width * sharpness)
  canvas.height = Math.round(height * sharpness)
  const context = canvas.getContext('2d')
  context.scale(sharpness, sharpness)
  context.font = fontOf(TEXT_HEIGHT)
  context.fillStyle = colour('panel')  // or else a saved image has no ground
  context.fillRect(0, 0, width, height)
  return context
}

function draw(run) {
  const width = root.matches('.paper') ? USUAL_WIDTH : run.canvas.clientWidth / zoom
  const scale = byId('same').checked ? axis : timeAxis(span(run), width, isOver(run))
  const plan = layOut(run, {width, scale, space: run.space, hasAxis: run.hasAxis})
  const context = prepare(run.canvas, width, plan.height)
  run.bars = barsOf(run, plan)
  drawAxis(context, plan, run.start)
  if (run.limit) drawLimit(context, run, plan)
  drawArea(context, run, plan)
  for (const kind of Object.keys(OUTCOMES).reverse()) {  // results that wait are behind the others
    const bars = run.bars.filter(bar => bar.kind === kind)
    if (bars.length) drawBars(context, kind, bars[0].height, bars)
  }
  if (plan.row * zoom >= PICTURED_ROW) {
    run.bars.filter(bar => bar.kind !== 'held').forEach(bar => drawLabel(context, bar, plan))
  }
  context.font = fontOf(plan.codes)
  const middle = place => plan.rowsTop + (place + 0.5) * plan.row + plan.codes * 0.36
  if (plan.codes) run.lanes.forEach((lane, place) => write(context, lane, 0, middle(place)))
  drawSelection(context, run)
  Object.assign(run.canvas.dataset, {lanes: run.rows, bars: run.bars.length})
  Object.assign(run, {plan, changed: false, drawnAt: now})
}

function drawSelection(context, run) {
  Object.assign(context, {strokeStyle: colour('text'), lineWidth: 2})
  context.setLineDash([])
  for (const {request, left, right, middle, height} of run.bars) {
    if (request !== run.selected) continue
    context.strokeRect(left - 1, middle - height / 2 - 1, right - left + 2, height + 2)
  }
}

const span = run => Math.max(elapsed(run), run.limit)

// Return the runs with charts, from top to bottom: on the wall few, the newest at the bottom.
function charted() {
  if (view === 'board') return []
  if (embedded) return runs
  const pinned = runs.filter(run => run.pinned), others = runs.filter(run => !run.pinned)
  const shown = view === 'wall' ? [...pinned, ...others].slice(0, FEW) :
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

// Share out what the first few charts have of the window; further ones are as high as they like.
function shareHeight(shown) {
  const sizes = shown.map(heightsOf), first = shown.slice(0, FEW)
  const spaces = sizes.map(({most}) => most)
  if (!root.matches('.paper') && first.length) {
    const heads = first.length * AREA_HEIGHT[view]
    const axes = AXIS_HEIGHT * (view && byId('same').checked ? 1 : first.length)
    const {shares, rest} = shareOut(roomFor(first) / zoom - heads - axes, sizes.slice(0, FEW))
    shares.forEach((share, place) => { spaces[place] = share + (view ? rest / first.length : 0) })
  }
  shown.forEach((run, place) => {
    const hasAxis = !view || !place || !byId('same').checked
    stale ||= spaces[place] !== run.space || hasAxis !== run.hasAxis
    Object.assign(run, {space: spaces[place], hasAxis})
  })
}

// Return how high the first few charts together may be, so that all of them are seen at once.
function roomFor(first) {
  const box = byId('charts').getBoundingClientRect(), last = first.at(-1).figure.getBoundingClientRect()
  const others = last.bottom - box.top - first.reduce((sum, run) => sum + run.canvas.offsetHeight, 0)
  const below = view ? parseFloat(getComputedStyle(document.body).paddingBottom) : 2
  return innerHeight - scrollY - box.top - others - below
}

function drawCharts() {
  const shown = charted()
  arrange(byId('charts'), shown.map(run => run.figure))
  arrange(byId('details'), shown.map(run => run.details))
  const longest = Math.max(0, ...shown.map(span)), widthOf = text => Math.ceil(textWidth(text))
  const names = shown.flatMap(run => [run.most, ...run.lanes]).map(widthOf)
  const labels = shown.filter(run => run.limit).flatMap(run => [limitOf(run), inFlight(run.most)])
  const atLeft = Math.max(0, ...names.map(width => width + 8))
  const atRight = Math.max(0, ...labels.map(text => 8 * Math.ceil(widthOf(text) / 8) + 8))
  const width = byId('charts').clientWidth / zoom - atLeft - atRight
  const next = timeAxis(longest, width, shown.every(isOver))
  stale ||= next.end !== axis?.end || atLeft !== gutter || atRight !== margin
  axis = next
  gutter = atLeft
  margin = atRight
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
