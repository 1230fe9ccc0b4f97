'use strict'
const source = document.documentElement.outerHTML  // as it came, to be saved with runs in it
const POLL = 200, PATIENCE = 3000  // milliseconds between two questions; until one is given up
const LAG = 0.4  // seconds that the charts are behind, so that no bar has to become shorter
const SILENCE = 1  // seconds without an answer after which no bar grows any more
const TICK = 100  // milliseconds between two states of all numbers
const MAX_RUNS = 40, MAX_CHARTS = 6, FEW = 3, MAX_STAIRS = 30
const USUAL_WIDTH = 1100  // pixels of a window
const CAPTION = 1.2  // rem, on the wall
const ON_BOARD = ['Run', 'Most in flight', 'Most at once', 'Time', 'Limit', 'Eff.', 'Speed-up', 'Errors',
  'Requests', 'Numbers']  // the last one goes first
const OUTCOMES = {  // a dash pattern tells them apart where colours do not
  ok: {name: '200 OK', dash: []},
  missing: {name: '404 Not Found', dash: [7, 3]},
  error: {name: '418 or another error', dash: [2, 2]},
  gone: {name: 'broken off by the client', dash: [9, 3, 2, 3], thin: true},
  waiting: {name: 'waiting', dash: []},
  computing: {name: 'computing; filled: share of a CPU', dash: [], work: true},
  held: {name: 'result waits', dash: [], work: true},
}

const byId = id => document.getElementById(id)
const root = document.documentElement
const style = getComputedStyle(root)
const colour = name => style.getPropertyValue(`--${name}`)
const embedded = JSON.parse(byId('runs').textContent)
const computes = embedded?.some(run => run.work) ?? false  // the runs do, instead of downloading
const calm = matchMedia('(prefers-reduced-motion: reduce)')
const pictures = new Map()
const pen = document.createElement('canvas').getContext('2d')  // to measure texts
let runs = []  // the newest first, or as they came with the page
let now = embedded ? Infinity : 0  // the moment that all of the page shows, by the server's clock
let tickedAt = 0
let view = ''  // or wall or board, as the address says
let sorting = {}  // head and direction, 1 or -1
let newest = 0  // the number of the last run that began
let stale = true  // all charts have to be drawn again
let zoom = 1  // of charts and texts
let axis  // its end and the step between its ticks, in seconds
let gutter = 0, margin = 0  // pixels at the left and at the right of the charts, for texts
let born, change = 0, clockOffset = -Infinity, serverTime = 0  // of the server

function outcome(request) {
  if (request.kind) return request.kind
  if (request.end === null || request.end > now || request.status === null) return 'waiting'
  if (request.status === 404) return 'missing'
  if (request.status === 499) return 'gone'
  return request.status < 400 ? 'ok' : 'error'
}

// Return from which time on how many requests are in flight.
function levelsOf(requests) {
  const steps = requests.flatMap(r => [[r.start, 1], [r.end ?? Infinity, -1]])
  steps.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  let level = 0
  return steps.map(([time, step]) => [time, level += step])
}

// Work out what is known of a run at this moment.
function summarise(run) {
  const requests = run.requests = run.all.filter(request => request.start <= now)
  const places = new Map(run.lanes.map((lane, place) => [lane, place]))
  const count = Object.fromEntries(Object.keys(OUTCOMES).map(kind => [kind, 0]))
  const isStairs = !computes &&
    (byId('each').checked || view === 'wall' && run.all.length <= MAX_STAIRS)
  requests.forEach((request, index) => {
    if (computes) request.kind ??= 'computing'
    if (!places.has(request.lane)) places.set(request.lane, places.size)
    request.place = places.get(request.lane)
    request.row = isStairs ? index : request.place
    count[outcome(request)]++
  })
  const active = requests.filter(request => request.kind !== 'held')
  const levels = levelsOf(active)
  const most = levels.reduce((most, [, level]) => Math.max(most, level), Math.min(1, active.length))
  const delays = active.map(({delay, start}) => Math.min(delay ?? 0, now - start))  // so far
  const total = delays.reduce((sum, delay) => sum + delay, 0)
  const longest = delays.reduce((a, b) => Math.max(a, b), 0)
  Object.assign(run, {
    count, levels, size: active.length, changed: true, fresh: false, summarisedAt: now,
    lanesUsed: places.size, rows: isStairs ? requests.length : places.size,
    most: run.given.most ?? most,
    limit: run.given.limit ?? Math.max(longest, total / Math.max(1, most)),
    workers: new Set(active.map(request => request.lane)).size,
  })
}

// Take over the requests of a run, those of the near future included.
function fill(run, requests) {
  run.all = requests.sort((a, b) => a.start - b.start)
  run.start = requests[0]?.start ?? 0
  run.end = requests.reduce((last, request) => Math.max(last, request.end ?? Infinity), 0)
  run.fresh = true
}

const isOver = run => run.end <= now
const elapsed = run => Math.max(0, Math.min(run.end, now) - run.start)
const timeOf = run => run.given.elapsed ?? elapsed(run)
const seconds = value => `${value.toFixed(value < 1 ? 3 : 2)} s`
const isOwn = address => /^(127\.|::1$|::ffff:127\.)/.test(address)
const nameOf = run => embedded || view ? run.label : `${run.label}, ${startOf(run)}`
const startOf = run => new Date(run.start * 1000).toLocaleTimeString('en-GB')

function facts(run) {
  const time = `time: ${seconds(timeOf(run))}`
  if (computes) {
    return `numbers: ${run.size}, workers: ${run.workers}, most at once: ${run.most}, ${time}`
  }
  return `requests: ${run.size}, connections: ${run.lanesUsed}, most in flight: ${run.most}, ` +
    `${time}, limit${isOver(run) ? '' : ' so far'}: ${seconds(run.limit)}`
}

// Return the cells of the table for a run, by their heads. What matters most comes first, as a
// phone has no room for more.
function cells(run) {
  const time = timeOf(run), isDone = isOver(run) && time > 0
  if (computes) {
    return {'Most at once': run.most, 'Time': seconds(time), 'Speed-up': speedUp(run), 'Numbers': run.size}
  }
  return {
    'Most in flight': run.most, 'Time': seconds(time), 'Limit': seconds(run.limit),
    'Eff.': isDone ? (run.limit / time).toFixed(2) : '', 'Speed-up': speedUp(run),
    'Requests': run.size, 'Not found': run.count.missing, 'Errors': run.count.error,
    'Broken off': run.count.gone,
  }
}

// Compare a run to the slowest one that did as much, unless compare.py has done so.
function speedUp(run) {
  if (run.given.speed_up != null) return run.given.speed_up
  const times = runs.filter(each => each.size === run.size && isOver(each)).map(elapsed)
  if (times.length < 2 || !isOver(run) || !elapsed(run)) return ''
  return `${(Math.max(...times) / elapsed(run)).toFixed(1)}×`
}
