function element(name, text = '', parent = null) {
  const made = document.createElement(name)
  made.textContent = text
  parent?.append(made)
  return made
}

// Return a run; what compare.py knows of one is given, and is worked out here if it is not.
function newRun({label, client = '', number, lanes = [], requests = [], ...given}) {
  const place = !client || isOwn(client) ? '' : ` from ${client}`
  const run = {label: (label || 'a client without a name') + place, number, lanes, given}
  Object.assign(run, {known: new Map(), bars: [], pinned: false, figure: element('figure')})
  fill(run, requests)
  const caption = element('figcaption', '', run.figure)
  run.title = element('strong', run.label, caption)
  run.facts = element('span', '', caption)
  run.facts.className = 'facts'
  run.inWords = ['most', 'time', 'speed'].map(() => element('b', '', caption))
  const tools = element('div', '', caption)
  tools.className = 'tools live'
  const pin = element('button', 'Pin', tools)
  pin.onclick = () => pin.setAttribute('aria-pressed', run.pinned = !run.pinned)
  element('button', 'Hide', tools).onclick = () => remove([run])
  run.canvas = element('canvas', '', run.figure)
  run.canvas.tabIndex = 0
  run.canvas.setAttribute('role', 'application')  // or else a screen reader keeps the arrow keys
  run.canvas.onpointermove = run.canvas.onpointerdown = event => point(run, event)
  run.canvas.onpointerleave = event => { if (event.pointerType === 'mouse') select(null) }
  run.canvas.onkeydown = event => moveSelection(run, event)
  run.details = element('details')
  run.details.ontoggle = () => fillDetails(run)
  element('summary', '', run.details)
  run.table = element('table', '', element('div', '', run.details))
  run.table.parentNode.className = 'scroll'
  return run
}

function remove(some) {
  runs = runs.filter(run => !some.includes(run))
  fillTexts()
}

function describe(request, run) {
  const since = time => time === null || time > now ? '' : seconds(time - run.start)
  const kind = outcome(request)
  const state = {waiting: 'waiting', gone: 'client gone', held: 'result waits', computing: 'computing'}
  const share = kind === 'computing' && request.share != null ? `${Math.round(100 * request.share)} %` : ''
  return [request.code, run.lanes[request.place] ?? request.place + 1, since(request.start),
    since(request.end), computes ? share : seconds(request.delay), state[kind] ?? request.status]
}

// Fill a table. Its heads stay while they are the same, or else a click on one could be lost.
function fillTable(table, heads, rows, sort) {
  if (table.dataset.heads !== heads.join()) {
    table.dataset.heads = heads.join()
    table.replaceChildren()
    const row = element('tr', '', element('thead', '', table))
    for (const head of heads) {
      const cell = Object.assign(element('th', sort ? '' : head, row), {scope: 'col'})
      if (sort) element('button', head, cell).onclick = () => sort(head)
    }
    element('tbody', '', table)
  }
  table.tBodies[0].replaceChildren(...rows.map(([first, ...others]) => {
    const row = element('tr')
    element('th', first, row).scope = 'row'
    for (const cell of others) element('td', cell, row)
    return row
  }))
}

// The first click on a head puts the best on top, the next one the worst; then all is as it was.
function sortBy(head) {
  const first = ['Run', 'Time', 'Limit'].includes(head) ? 1 : -1
  const isSame = head === sorting.head
  sorting = isSame && sorting.direction !== first ? {} : {head, direction: isSame ? -first : first}
  fillTexts()
}

function fillSummary() {
  const rows = runs.map(run => ({'Run': nameOf(run), ...cells(run)})), {head, direction} = sorting
  const isBoard = view === 'board', isFitted = isBoard && !root.matches('.paper')
  const number = row => row[head] === '' ? Infinity * direction : parseFloat(row[head])  // the last
  if (head === 'Run') rows.sort((a, b) => direction * a.Run.localeCompare(b.Run))
  else if (head) rows.sort((a, b) => direction * (number(a) - number(b)) || 0)
  const heads = Object.keys(rows[0] ?? {}).filter(head => !isBoard || ON_BOARD.includes(head))
  if (isBoard) heads.sort((a, b) => ON_BOARD.indexOf(a) - ON_BOARD.indexOf(b))
  const table = rows.map(row => heads.map(head => row[head]))
  fillTable(byId('summary'), ...isFitted ? fitBoard(heads, table) : [heads, table], sortBy)
  for (const cell of byId('summary').querySelectorAll('thead th')) {
    cell.ariaSort = cell.textContent !== head ? 'none' : direction > 0 ? 'ascending' : 'descending'
  }
}

// Return what of a table fits on the board, and set the size of its text.
function fitBoard(heads, rows) {
  const width = byId('runs-shown').clientWidth - 2, {top} = byId('runs-shown').getBoundingClientRect()
  const {size, name, count} = layOutBoard(heads, rows, 0.98 * width, innerHeight - scrollY - top - 9 * zoom)
  root.style.setProperty('--size', `${size}px`)
  const widthOf = text => textWidth(text, 100) / 100
  const cells = rows.map(([first, ...others]) => [shorten(first, name, widthOf), ...others])
  return [heads.slice(0, count), cells.map(row => row.slice(0, count))]
}

function fillDetails(run) {
  run.details.firstChild.textContent = `${computes ? 'Numbers' : 'Requests'} of ${nameOf(run)}`
  if (!run.details.open) return
  const heads = computes ? ['Number', 'Worker', 'Start', 'End', 'Share of a CPU', 'State'] :
    ['Code', 'Connection', 'Start', 'End', 'Delay', 'Status']
  fillTable(run.table, heads, run.requests.map(request => describe(request, run)))
}

const captionWidth = text => textWidth(text, parseFloat(getComputedStyle(root).fontSize) * CAPTION, 'bold')

function fillTexts() {
  for (const run of runs) {
    run.title.textContent = view ? shorten(nameOf(run), innerWidth * 0.42, captionWidth) : nameOf(run)
    run.facts.textContent = facts(run)
    const words = [`${run.most} at a time`, seconds(timeOf(run)), speedUp(run)]
    run.inWords.forEach((place, number) => { place.textContent = words[number] })
    run.canvas.setAttribute('aria-label',
      `${nameOf(run)}: ${run.facts.textContent}. Arrow keys go from one bar to the next.`)
  }
  for (const id of ['content', 'clear', 'save']) byId(id).hidden = !runs.length
  document.body.classList.toggle('empty', !runs.length)
  fillSummary()  // of which the size depends on the window's
  byId('live').hidden = !(runs[0]?.number > 0)  // none, or of a server that is no more
  if (!byId('live').hidden) fillTiles(runs[0])
}

function fillTiles(run) {
  const {count, size, most} = run
  const tiles = {'In flight': count.waiting, 'Most in flight': most, 'Done': size - count.waiting,
    'Errors': count.error, 'Broken off': count.gone, 'Elapsed': seconds(elapsed(run))}
  byId('newest').textContent = `The newest run: ${nameOf(run)}`
  byId('now').replaceChildren()
  for (const name in tiles) {
    const tile = element('div', '', byId('now'))
    element('dt', name, tile)
    element('dd', tiles[name], tile)
  }
}

// Show what there is to know about a bar, or about none.
function select(run, bar, x, y) {
  for (const each of runs) {
    const selected = each === run ? bar.request : null
    if (selected === (each.selected ?? null)) continue
    each.selected = selected
    draw(each)
  }
  const tip = byId('tip')
  tip.hidden = !run
  tip.textContent = ''
  if (!run) return
  const [code, lane, start, end, measure, status] = describe(bar.request, run)
  const middle = computes ? measure && `, ${measure} of a CPU` : `, delay ${measure}`
  tip.textContent = `${code}: start ${start}, end ${end || 'open'}${middle}, ${status}`
  tip.style.left = `${Math.max(0, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`
  tip.style.top = `${Math.max(0, Math.min(y + 16, innerHeight - tip.offsetHeight - 8))}px`
}

function point(run, {offsetX, offsetY, clientX, clientY, pointerType}) {
  const reach = pointerType === 'mouse' ? 2 : 12  // pixels; a finger is broad
  let nearest = null, least = Infinity
  for (const bar of run.bars) {
    const across = Math.max(bar.left - offsetX / zoom, offsetX / zoom - bar.right, 0)
    const along = Math.max(Math.abs(bar.middle - offsetY / zoom) - bar.height / 2, 0)
    if (across > reach || along > reach || across + along >= least) continue
    least = across + along
    nearest = bar
  }
  if (nearest) select(run, nearest, clientX, clientY)
  else select(null)
}

// Left and right follow the time, up and down go to the nearest bar in the next row.
function moveSelection(run, event) {
  const {bars} = run, from = bars.findIndex(({request}) => request === run.selected), bar = bars[from]
  const rows = {ArrowUp: -1, ArrowDown: 1}[event.key], last = bars.length - 1
  const index = {ArrowLeft: Math.max(0, from - 1), ArrowRight: Math.min(last, from + 1), Home: 0, End: last}
  let target = bars[index[event.key]]
  if (rows && bar) {
    const distance = other => Math.abs(other.left - bar.left)
    target = bars.filter(({request}) => request.row === bar.request.row + rows)
      .sort((a, b) => distance(a) - distance(b))[0]
  }
  if (!target) return
  event.preventDefault()
  const {left, top} = run.canvas.getBoundingClientRect()
  select(run, target, left + target.left * zoom, top + target.middle * zoom)
}
