// The acceptance as one page that needs nothing else: what was expected and found, and how the load went over time.
import type { Finding } from '../../deploy/doctor/finding.ts'
import { type Axis, chart, escapeHtml, type Line, plot, roundTicks } from '../../deploy/report/chart.ts'
import { style } from '../../deploy/report/style.ts'
import type { Check } from './check.ts'
import type { Doctor } from './device.ts'
import type { Load, Moment } from './load.ts'
import type { Sensors } from './sensors.ts'

/** What accept.json holds. */
export interface Acceptance {
  version: 1
  ok: boolean
  started: string
  minutes: number
  /** What else the machine did. */
  load_average_before: number
  /** Of nvpmodel; empty where there is none. */
  power_mode: string
  machine: Doctor['machine']
  bundle: { name: string; net: string; width: number; picture: [width: number, height: number] }
  checks: Check[]
  /** The network alone, by its width. */
  sessions: { width: number; pictures_per_second: number }[]
  limits: Sensors['limits']
  load: Load
  findings: Finding[]
}

const size = { width: 560, height: 260 }
const box = { x: 62, y: 14, width: 480, height: 186 }
const colours = ['blue', 'orange', 'green', 'purple']

interface Series {
  name: string
  of: (moment: Moment) => number | null | undefined
}

/** A card with a chart of some series over the minutes of the load; nothing where there are no values. */
function over(title: string, unit: string, moments: readonly Moment[], series: readonly Series[], fromZero: boolean): string {
  const drawn = series
    .map(({ name, of }) => ({
      name,
      points: moments.flatMap((moment) => {
        const value = of(moment)
        return typeof value === 'number' && Number.isFinite(value) ? [[moment.seconds / 60, value] as const] : []
      }),
    }))
    .filter(({ points }) => points.length > 1)
  if (!drawn.length) return ''
  // Cores of one cluster run alike; a legend of more than a few lines says nothing.
  const shown = drawn.slice(0, colours.length)
  const values = shown.flatMap(({ points }) => points.map(([, value]) => value))
  const [least, most] = [fromZero ? 0 : Math.min(...values), Math.max(...values)]
  const room = Math.max((most - least) * 0.08, most * 0.02, 1e-6)
  const end = moments.at(-1)!.seconds / 60
  const digits = (value: number) => String(Number(value.toPrecision(4)))
  const axis = (title: string, min: number, max: number, count: number): Axis => ({
    title,
    min,
    max,
    ticks: roundTicks(min, max, count),
    digits,
  })
  const y = axis(unit, fromZero ? 0 : least - room, most + room, 4)
  const lines: Line[] = shown.map(({ name, points }, i) => ({ name, points, colour: colours[i]!, width: 1.6 }))
  const svg = chart(`${title} over time`, { look: '', size }, plot({ box, x: axis('minutes', 0, end, 6), y, lines }))
  const legend = lines
    .map(
      ({ name, colour }) =>
        `<li><svg viewBox="0 0 26 10"><path d="M0 5H26" stroke="var(--${colour})" stroke-width="3"/></svg>${escapeHtml(name)}</li>`,
    )
    .join('')
  const rest = drawn.length > shown.length ? `<li>${drawn.length - shown.length} more in accept.json</li>` : ''
  return `<section class="card"><h3>${escapeHtml(title)}</h3>${svg}${lines.length > 1 ? `<ul class="legend">${legend}${rest}</ul>` : ''}</section>`
}

const words = { pass: 'pass', fail: 'failed', skipped: 'skipped' }

function checkTable(checks: readonly Check[]): string {
  let section = ''
  const rows = checks.map((check) => {
    const head = check.section === section ? '' : escapeHtml(check.section)
    section = check.section
    return `<tr><th>${head}</th><td>${escapeHtml(check.name)}</td><td class="${check.state}">${words[check.state]}</td><td>${escapeHtml(check.found)}</td><td class="quiet">${escapeHtml(check.expected)}</td></tr>`
  })
  return `<div class="card scroll"><table class="checks"><tr><th></th><th>check</th><th></th><th>found</th><th>expected</th></tr>${rows.join('')}</table></div>`
}

function stageTable({ stages_ms }: Load): string {
  const rows = Object.entries(stages_ms).map(
    ([name, { median, p99 }]) =>
      `<tr><th>${escapeHtml(name)}</th><td class="n">${median.toFixed(2)}</td><td class="n">${p99.toFixed(2)}</td></tr>`,
  )
  return `<section class="card"><h3>Latency by stage at full rate</h3><table><tr><th>ms</th><th class="n">median</th><th class="n">99th percentile</th></tr>${rows.join('')}</table></section>`
}

const zonesOf = ({ moments }: Load) => Object.keys(moments[0]?.temperatures ?? {})

/** Hottest first, so that the few lines that are drawn are the ones that matter. */
const byHeat = ({ moments }: Load) =>
  zonesOf({ moments } as Load).sort((a, b) => {
    const most = (zone: string) => Math.max(...moments.map(({ temperatures }) => temperatures[zone] ?? 0))
    return most(b) - most(a)
  })

export function acceptancePage(acceptance: Acceptance): string {
  const { machine, bundle, checks, load, findings } = acceptance
  const { moments } = load
  const device = machine.nvidia.board || [machine.processor.name, machine.nvidia.gpu].filter(Boolean).join(', ')
  const count = (state: Check['state']) => checks.filter((check) => check.state === state).length
  const tile = (value: string, what: string) => `<li><b>${escapeHtml(value)}</b><small>${escapeHtml(what)}</small></li>`
  const hottest = Math.max(...moments.flatMap(({ temperatures }) => Object.values(temperatures)))
  const tiles = [
    tile(load.masks_per_second.toFixed(1), 'masks a second at full rate'),
    tile(
      load.stages_ms.whole ? `${load.stages_ms.whole.median.toFixed(0)} ms` : '–',
      'from the camera to the outputs at full rate, median',
    ),
    ...acceptance.sessions.map((each) =>
      tile(each.pictures_per_second.toFixed(1), `pictures a second of width ${each.width} alone`),
    ),
    tile(`${Math.max(...moments.map(({ agent_mb }) => agent_mb)).toFixed(0)} MB`, 'private memory of all processes, most'),
    ...(Number.isFinite(hottest) ? [tile(`${hottest.toFixed(0)} °C`, 'the hottest that it was')] : []),
  ]
  const names = (of: (moment: Moment) => Record<string, number>) => Object.keys(moments[0] ? of(moments[0]) : {})
  const clocks = names(({ clocks_mhz }) => clocks_mhz).sort((a, b) => Number(/^cpu\d/.test(a)) - Number(/^cpu\d/.test(b)))
  const charts = [
    over('Masks a second', 'a second', moments, [{ name: 'masks a second', of: (moment) => moment.masks_per_second }], true),
    over(
      'Latency',
      'ms, median',
      moments,
      [
        { name: 'camera to outputs', of: (moment) => moment.latency_ms },
        { name: 'TensorFlow', of: (moment) => moment.infer_ms },
      ],
      true,
    ),
    over(
      'Memory',
      'MB',
      moments,
      [
        { name: 'left for others', of: (moment) => moment.memory_available_mb },
        { name: 'private memory of the agent', of: (moment) => moment.agent_mb },
      ],
      true,
    ),
    over(
      'Heat',
      '°C',
      moments,
      byHeat(load).map((zone) => ({ name: zone, of: ({ temperatures }) => temperatures[zone] })),
      false,
    ),
    over(
      'Clocks',
      'MHz',
      moments,
      clocks.map((name) => ({ name, of: ({ clocks_mhz }) => clocks_mhz[name] })),
      true,
    ),
    over('GPU', '% busy', moments, [{ name: 'busy', of: ({ gpu_percent }) => gpu_percent }], true),
    over(
      'Power',
      'W',
      moments,
      names(({ watts }) => watts).map((name) => ({ name, of: ({ watts }) => watts[name] })),
      true,
    ),
  ]
  const untold = [
    !zonesOf(load).length && 'temperatures',
    !clocks.length && 'clocks',
    moments[0]?.gpu_percent === undefined && 'the load of a GPU',
    !names(({ watts }) => watts).length && 'power',
  ].filter(Boolean)
  const facts = [
    machine.system,
    `Linux ${machine.kernel}`,
    machine.nvidia.jetpack && `JetPack ${machine.nvidia.jetpack}`,
    acceptance.power_mode && `power mode ${acceptance.power_mode}`,
    `Roadmask ${[machine.product.version, machine.product.commit].filter(Boolean).join(', commit ')}`,
    `${bundle.name}: ${bundle.net}, width ${bundle.width}, ${bundle.picture.join(' x ')}`,
  ].filter(Boolean)
  const failed = count('fail')
  const verdict = failed ? `${failed} of ${checks.length} checks failed` : 'Accepted: nothing failed'
  const busy =
    acceptance.load_average_before > 0.5
      ? `<p class="warn">The machine was not idle before: its load average was ${acceptance.load_average_before.toFixed(1)}.</p>`
      : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Acceptance of ${escapeHtml(device)}</title>
<style>${style}
.pass { color: var(--good); } .fail { color: var(--bad); font-weight: 650; } .skipped { color: var(--quiet); }
.pair { align-items: stretch; } .pair + .note { margin-top: 14px; } .checks td { min-width: 70px; } .checks td:nth-child(4) { min-width: 260px; }
</style></head><body>
<p class="over">Acceptance, ${escapeHtml(acceptance.started.slice(0, 16).replace('T', ' '))} UTC, ${acceptance.minutes} minutes of load</p>
<h1>${escapeHtml(device)}</h1>
<p class="lead"><b class="${failed ? 'fail' : 'pass'}">${verdict}</b>; ${count('pass')} passed, ${count('skipped')} skipped.</p>
<p class="quiet head">${facts.map((fact) => escapeHtml(String(fact))).join(' · ')}</p>
${busy}
<ul class="tiles">${tiles.join('')}</ul>
<h2>Under load</h2>
<div class="pair">${charts.filter(Boolean).join('')}${stageTable(load)}</div>
${untold.length ? `<p class="note">This machine does not tell: ${untold.join(', ')}.</p>` : ''}
<h2>Checks</h2>
${checkTable(checks)}
<h2>What doctor found</h2>
<div class="card scroll"><table class="facts">${findings
    .map(
      ({ section, name, text }) =>
        `<tr><th>${escapeHtml(section)}</th><td>${escapeHtml(name)}</td><td>${escapeHtml(text)}</td></tr>`,
    )
    .join('')}</table></div>
</body></html>
`
}
