// Take over what has changed on the server, which may have been started anew meanwhile.
function take(state) {
  if (born !== state.born) {
    born = state.born
    clockOffset = state.now - performance.now() / 1000
    newest = 0
    runs.forEach(endRun)
    remove(runs.filter(run => !run.pinned))
    if (change) return void (change = 0)
  }
  change = state.change
  serverTime = state.now
  clockOffset = Math.max(clockOffset, state.now - performance.now() / 1000)
  const touched = new Set()
  for (const request of state.requests) {
    if (request.run > newest) {
      newest = request.run
      runs.unshift(newRun({label: request.agent, client: request.client, number: newest}))
    }
    const run = runs.find(({number}) => number === request.run)  // none if it is hidden
    run?.known.set(`${request.lane} ${request.start}`, request)
    if (run) touched.add(run)
  }
  for (const run of touched) fill(run, [...run.known.values()])
  const tooMany = new Set(runs.filter(run => !run.pinned).slice(MAX_RUNS))
  runs = runs.filter(run => !tooMany.has(run))
  advance()
  if (touched.size) tick()
}

// End a run of a server that is no more: the requests that it left open get no answer.
function endRun(run) {
  run.number = null
  run.all.forEach(request => { request.end ??= serverTime })
  fill(run, run.all)
}

function advance() {
  const clock = performance.now() / 1000 + clockOffset - LAG
  if (!embedded) now = Math.min(clock, serverTime + SILENCE)
}

// Bring the numbers of all runs that go on, and all texts, to this moment.
function tick() {
  tickedAt = performance.now()
  const changed = runs.filter(run => run.fresh || run.end > run.summarisedAt)
  for (const run of changed) {
    summarise(run)
    fillDetails(run)
  }
  if (changed.length) fillTexts()
}

async function poll() {
  const signal = AbortSignal.timeout(PATIENCE)
  const answer = await fetch(`requests?after=${change}`, {cache: 'no-store', signal})
    .then(response => response.json()).catch(() => null)
  if (answer) take(answer)
  document.body.classList.toggle('lost', !answer)
  let state = answer ? `Watching ${location.host}` : `${location.host} does not answer; trying again`
  if (answer && !newest) {
    const hidden = location.pathname !== '/'  // behind a proxy, which may want to know who asks
    const url = hidden ? 'URL, as the server has printed it' : `${location.origin}/flags`
    state += `; no request yet. Try: python3 flags_threadpool.py -s ${url}`
  }
  if (byId('state').textContent !== state) byId('state').textContent = state
  setTimeout(poll, POLL)
}

function frame() {
  advance()
  if (performance.now() - tickedAt >= TICK) tick()
  drawCharts()
  if (calm.matches) setTimeout(frame, 500)
  else requestAnimationFrame(frame)
}

// Let the browser save this page with all that it shows, requests that still wait included.
function savePage() {
  const data = runs.map(run => ({
    label: nameOf(run),
    requests: run.requests.map(request => {
      const {lane, code, start, end, delay, status} = request
      return {lane, code, start, end: end ?? serverTime, delay, status, picture: pictureData(request)}
    }),
  }))
  const text = JSON.stringify(data).replaceAll('<', '\\u003c')  // no end tag, no comment
  const page = `<!DOCTYPE html>\n${source.replace('>null<', () => `>${text}<`)}\n`
  const link = Object.assign(element('a'), {download: 'requests.html'})
  link.href = URL.createObjectURL(new Blob([page], {type: 'text/html'}))
  link.click()
}

function pictureData(request) {
  const image = pictures.get(pictureOf(request))
  if (!image?.naturalWidth) return undefined
  const height = 2 * MAX_ROW[''], width = Math.round(height * image.width / image.height)
  const canvas = Object.assign(element('canvas'), {width, height})
  canvas.getContext('2d').drawImage(image, 0, 0, width, height)
  return canvas.toDataURL()
}

function showEmbedded() {
  runs = embedded.map(newRun)
  for (const place of document.querySelectorAll('.about-times')) {
    place.hidden = runs.some(run => run.given.elapsed != null)
  }
  document.body.classList.add('static')
}

// Show what the address asks for: #wall, #board or all.
function show() {
  select(null)
  view = ['#wall', '#board'].includes(location.hash) ? location.hash.slice(1) : ''
  for (const name of ['wall', 'board']) {
    byId(`to-${name}`).checked = view === name
    document.body.classList.toggle(name, view === name)
  }
  zoom = view ? Math.max(1, Math.min(innerHeight * LEAST_TEXT / TEXT_HEIGHT, innerWidth / 600)) : 1
  root.style.fontSize = `${100 * zoom}%`
  showAnew()
}

function showAnew() {
  for (const run of runs) run.fresh = true
  stale = true
  tick()
}

function printOnPaper(isPrinting) {
  root.classList.toggle('paper', isPrinting)  // light colours, whatever the screen has
  fillTexts()
  drawLegend()
  drawCharts()
}

// Tell whether there is more of a view below, or above, that does not fit the window.
function hasMore(direction) {
  const {scrollHeight} = root
  return direction > 0 ? scrollY + innerHeight < scrollHeight - 1 : scrollY > 0
}

function answerKey(event) {
  if (event.key === 'Escape' && view && byId('tip').hidden) location.hash = ''
  if (event.key === 'Escape') select(null)
  const direction = {PageDown: 1, PageUp: -1}[event.key]  // a presenter's remote sends them
  if (!view || !direction || hasMore(direction)) return
  event.preventDefault()
  location.hash = view === 'wall' ? 'board' : 'wall'
}

byId('about-work').hidden = !computes
byId('about-requests').hidden = byId('each-label').hidden = computes
if (computes) document.title = byId('title').textContent = 'Work in progress'
if (embedded) showEmbedded()
drawLegend()
show()
fillTexts()
matchMedia('(prefers-color-scheme: dark)').onchange = drawLegend
onresize = onhashchange = show
onbeforeprint = () => printOnPaper(true)
onafterprint = () => printOnPaper(false)
onscroll = () => select(null)
onkeydown = answerKey
onpointerdown = event => { if (!event.target.matches('figure canvas')) select(null) }
byId('same').onchange = () => { stale = true }
byId('each').onchange = showAnew
byId('to-wall').onchange = byId('to-board').onchange = ({target}) => {
  location.hash = target.checked ? target.id.slice(3) : ''
}
byId('clear').onclick = () => remove(runs.filter(run => !run.pinned && run.end < Infinity))
byId('save').onclick = savePage
if (!embedded) poll()
frame()
