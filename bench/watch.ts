import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Detection, detect, simulateWatch } from '../experiments/watch/simulate-watch.ts';
import { type Fault, faults, signalOf } from '../experiments/watch/simulated-traffic.ts';
import type { PageRun } from './page-run.ts';

const docs = join(import.meta.dirname, '../docs');

/** `surfaces` of `months` each. `growth`: of the traffic a week. */
type Quiet = { slatesAnHour: number; weeks: number; growth: number; surfaces: number };
type FalseAlarms = Quiet & { months: number; alarms: number; detectors: number; perMonth: number; low: number; high: number; quietMonths: number };
type Found = {
  fault: Fault;
  slatesAnHour: number;
  runs: number;
  found: number;
  median: number | null;
  p90: number | null;
  alerts: number;
  closedWithin: number | null;
};
export type WatchBench = { machine: string; falseAlarmsAsked: number; falseAlarms: FalseAlarms[]; detection: Found[] };

const hoursOfYearPart = 4 * 730;
const asked = 1;
/** Each day in earnest: it changes little from one to the next, and takes most of the time. */
const fitEveryHours = 72;
const quiet: Quiet[] = [
  { slatesAnHour: 60, weeks: 8, growth: 0, surfaces: 52 },
  { slatesAnHour: 1_000, weeks: 8, growth: 0, surfaces: 52 },
  { slatesAnHour: 20_000, weeks: 8, growth: 0, surfaces: 52 },
  { slatesAnHour: 1_000, weeks: 4, growth: 0, surfaces: 52 },
  // Not what is promised: here something does change.
  { slatesAnHour: 1_000, weeks: 8, growth: 0.01, surfaces: 16 },
];
const volumes = [60, 1_000, 20_000];
/** The fault lasts for a week, or two where what is lost is little; it begins at another hour each time. */
const faultHours: Record<Fault, number> = {
  'events-halve': 168,
  'fallback-rises': 168,
  'reward-drops': 336,
  'p99-doubles': 168,
  'coverage-drops': 168,
  'client-falls-silent': 168,
};

/**
 * Simulates quiet surfaces and broken ones and writes docs/watch.md and docs/watch.json; with `quick` a part of it, and nothing is written.
 * @param only `false-alarms` or `detection`, the other standing as it was; empty: both
 */
export function benchWatch({ machine, quick, only, say }: PageRun): WatchBench {
  const isWanted = (part: string) => only.length === 0 || only.includes(part);
  const written = only.length === 0 ? null : (JSON.parse(readFileSync(join(docs, 'watch.json'), 'utf8')) as WatchBench);
  const falseAlarmCells = isWanted('false-alarms') ? measureFalseAlarms(quick, say) : (written?.falseAlarms ?? []);
  const found = isWanted('detection') ? measureDetection(quick, say) : (written?.detection ?? []);
  const results: WatchBench = { machine, falseAlarmsAsked: asked, falseAlarms: falseAlarmCells, detection: found };
  if (quick) return results;
  writeFileSync(join(docs, 'watch.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(docs, 'watch.md'), renderWatch(results));
  return results;
}

function measureFalseAlarms(quick: boolean, say: (line: string) => void): FalseAlarms[] {
  return quiet.map((cell) => {
    const found = falseAlarms(quick ? { ...cell, surfaces: 4 } : cell);
    say(`${cell.slatesAnHour} slates an hour, ${cell.weeks} weeks, growth ${cell.growth}: ${found.perMonth.toFixed(2)} alarms a month`);
    return found;
  });
}

function measureDetection(quick: boolean, say: (line: string) => void): Found[] {
  return faults.flatMap((fault) =>
    volumes.map((slatesAnHour) => {
      const found = detection(fault, slatesAnHour, quick ? 2 : 12);
      say(`${fault} at ${slatesAnHour}: ${found.found} of ${found.runs}, median ${found.median ?? '-'} h`);
      return found;
    }),
  );
}

function falseAlarms(cell: Quiet): FalseAlarms {
  const counts: number[] = [];
  let [detectors, months, quietMonths] = [0, 0, 0];
  for (let surface = 0; surface < cell.surfaces; surface += 1) {
    const seed = 7_919 * (surface + 1) + cell.slatesAnHour;
    const watched = simulateWatch({ ...cell, hours: hoursOfYearPart, falseAlarms: asked, seed, fitEveryHours });
    const opened = watched.turns.filter(({ event }) => event === 'opens');
    counts.push(opened.length);
    const busy = new Set(opened.map(({ hour }) => Math.floor(hour / 730)));
    quietMonths += 4 - busy.size;
    months += watched.months;
    ({ detectors } = watched);
  }
  const alarms = counts.reduce((sum, one) => sum + one, 0);
  const mean = alarms / counts.length;
  // Alarms of one surface are alike: surfaces are what is drawn.
  const spread = Math.sqrt(counts.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (counts.length - 1) / counts.length);
  const perSurface = months / counts.length;
  const [low, high] = [Math.max(0, mean - 1.96 * spread) / perSurface, (mean + 1.96 * spread) / perSurface];
  return { ...cell, months: Math.round(months), alarms, detectors, perMonth: alarms / months, low, high, quietMonths: quietMonths / (4 * counts.length) };
}

function detection(fault: Fault, slatesAnHour: number, runs: number): Found {
  const found: Detection[] = [];
  for (let run = 0; run < runs; run += 1) {
    const fromHour = 48 + 7 * run;
    const planted = { name: fault, fromHour, toHour: fromHour + faultHours[fault] };
    found.push(detect({ slatesAnHour, weeks: 8, hours: planted.toHour + 96, falseAlarms: asked, seed: 104_729 * (run + 1), fitEveryHours, fault: planted }));
  }
  const hours = found.flatMap(({ hours: one }) => one ?? []).sort((a, b) => a - b);
  const closing = found.flatMap(({ hoursToClose }) => hoursToClose ?? []).sort((a, b) => a - b);
  // Those that were not found come last.
  const at = (share: number) => hours[Math.ceil(share * runs) - 1] ?? null;
  const alerts = found.reduce((sum, one) => sum + one.alerts, 0) / Math.max(1, hours.length);
  return {
    fault,
    slatesAnHour,
    runs,
    found: hours.length,
    median: at(0.5),
    p90: at(0.9),
    alerts,
    closedWithin: closing[Math.floor(closing.length / 2)] ?? null,
  };
}

const says: Record<Fault, string> = {
  'events-halve': 'half of all events do not come',
  'fallback-rises': 'a lower rung answers 10 % instead of 1 %',
  'reward-drops': 'a segment of 15 % of the slates earns 20 % less',
  'p99-doubles': 'the 99th percentile of answers doubles',
  'coverage-drops': '30 % fewer items are shown',
  'client-falls-silent': "one of three clients' events are gone",
};

const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;

function renderWatch({ machine, falseAlarms: quietCells, detection: cells }: WatchBench): string {
  const hours = (value: number | null) => (value === null ? '-' : `${value} h`);
  return `# How well a surface is watched

\`npm run bench -- watch\` writes this page (${machine}). Everything on it is simulated, by \`experiments/watch/simulated-traffic.ts\`: a surface with 24 detectors over
slates, events of three kinds, three clients, three rungs, four stages, three segments, coverage and concentration. Each signal has a day and a week in it, counts more
spread than Poisson's (a rate that wobbles by 8 % from hour to hour, each hour like the one before with .6, and by 4 % from day to day; events in clusters), and an own
seed a surface. It is watched as a real one: hour by hour, fitted to the weeks before, here every third day.

## False alarms
Asked for: at most ${asked} a surface and month, all signals together, on traffic that does not change. Intervals are of the mean over surfaces.

${row(['slates an hour', 'weeks of history', 'growth a week', 'surface-months', 'alerts', 'a surface and month', '95 % interval', 'months without any'])}
${row(Array.from({ length: 8 }, () => '---'))}
${quietCells.map((one) => row([one.slatesAnHour, one.weeks, `${(one.growth * 100).toFixed(0)} %`, one.months, one.alarms, `**${one.perMonth.toFixed(2)}**`, `${one.low.toFixed(2)} to ${one.high.toFixed(2)}`, `${(one.quietMonths * 100).toFixed(0)} %`])).join('\n')}

The last line is not stationary: traffic grows, and so it is more than the weeks before say. That is true and no false alarm, but nobody wants to hear of it; where a
surface grows so, take \`slates\` and \`events\` out of \`watch.signals\`, or silence their \`up\`.

## Time to detection
Each fault is planted ${cells[0]?.runs ?? 0} times, at another hour of the week each time, and lasts a week (the reward's two). Hours are from its begin to the end of the hour in which the alert opens; an
alert needs three hours at least. *alerts* is how many were opened for the one fault, where it was found: more than one is the same thing told again.

${row(['fault', 'signal', 'slates an hour', 'found', 'median', '90 of 100 within', 'alerts', 'closed after its end, median'])}
${row(Array.from({ length: 8 }, () => '---'))}
${cells.map((one) => row([says[one.fault], `${signalOf[one.fault].signal} ${signalOf[one.fault].part}`.trim(), one.slatesAnHour, `${one.found} of ${one.runs}`, hours(one.median), hours(one.p90), one.alerts.toFixed(1), hours(one.closedWithin)])).join('\n')}

## How
An hour is expected to be the median of the same hour of the same weekday of \`watch.weeks\` weeks. How far hours lie from it (counting noise and what is beyond it), how alike neighbours
are, and how alike whole days are is estimated from the surface's own past; nothing is assumed to be Poisson or independent. Two one-sided cumulative sums (Page 1954) run over what an
hour's neighbour does not foretell (Montgomery, section 10.4): one for what breaks, one for what gives way. Their thresholds are Siegmund's for the false-alarm rate asked for, divided among
all detectors, times the long-run variance of the residuals (Johnson and Bagshaw 1974). An alert closes when another sum, over how much nearer an hour lies to the expectation than to what
was found, says so. The first three weeks there is not enough history, and no alert.

A measurement of drift is judged where it is made, and stands for each hour until the next: of days by what moved, of models only where what moved cost reward, 0 where nothing did. So such an
alert opens some hours after the measurement, ends some hours after one that finds nothing, and is chance's own in at most 5 of 100 measurements of each kind ([drift.md](drift.md)).
`;
}
