import type { Charter } from '../../models/contracts/charter.ts';
import { estimateCounterfactual } from '../counterfactual/estimate-counterfactual.ts';
import { type Explore, makeSlateWorld, slateLogs, type SlateWorld, type SlateWorldSettings } from '../simulator/slate-world.ts';
import type { Mark } from './decision-cells.ts';
import { level } from './run-decision-cell.ts';
import { seedOf, shortDigest } from './seeds.ts';
import { type Deviation, deviate, type Misses, miss, noDeviation, noMisses } from './tally.ts';

export type SlateCell = { id: string; what: string; mark: Mark; replications: number; settings: SlateWorldSettings };
export type SlateTally = {
  replications: number;
  verdicts: number;
  /** By the name of the diagnostic or check. */
  refusals: Record<string, number>;
  better: number;
  worse: number;
  lift: Deviation;
  interval: Misses;
};

const usual: SlateWorldSettings = { slates: 6_000, rate: 0.3, lift: 0, distance: 0.5 };
const cell = (mark: Mark, id: string, what: string, over: Partial<SlateWorldSettings>, replications = 200): SlateCell => ({
  id,
  what,
  mark,
  replications,
  settings: { ...usual, ...over },
});

/** Slates of ten from 300 items, about half of them shown by both policies; exploration draws one slot by the charter's defaults. */
export const slateCells: readonly SlateCell[] = [
  cell('supportable', 'slates-equal', 'equal values', {}),
  cell('supportable', 'slates-better', 'better by a fifth', { lift: 0.2 }),
  cell('supportable', 'slates-long', 'better by a fifth, as many slates as are replayed at most', { slates: 20_000, lift: 0.2 }, 120),
  cell('supportable', 'slates-users', 'users of four slates each, a tenth of them three times as keen', { slatesPerUser: 4, keen: { share: 0.1, factor: 3 } }),
  cell('supportable', 'slates-rare', 'a reward in every twentieth slate', { rate: 0.05 }, 150),
  cell('unsupportable', 'slates-short', '300 slates, a reward in every twentieth', { slates: 300, rate: 0.05 }),
  cell(
    'unsupportable',
    'slates-unregistered',
    'a candidate with other favourites among 2,000 items, not registered: exploration hardly shows them',
    { items: 2_000, isRegistered: false, distance: 4 },
    40,
  ),
];

/** What the gate does it by. */
export type SlateRules = { explore: Explore; limits: Charter['gates']['logLimits'] & { minEffectiveSampleSize: number } };
type Part = SlateRules & { cell: SlateCell; seed: number; from: number; to: number };

/** Draws the logs `from` to `to` - 1 of a cell and evaluates each as the gate does. */
export function runSlateCell({ from, to, ...of }: Part): { truth: SlateWorld['truth']; tally: SlateTally } {
  const world = makeSlateWorld(of.cell.settings, of.explore);
  const tally: SlateTally = { replications: 0, verdicts: 0, refusals: {}, better: 0, worse: 0, lift: noDeviation(), interval: noMisses() };
  for (const { found, against } of evaluated({ ...of, world, from, to })) {
    tally.replications += 1;
    for (const name of against) tally.refusals[name] = (tally.refusals[name] ?? 0) + 1;
    if (against.length > 0) continue;
    tally.verdicts += 1;
    if (found.verdict === 'better') tally.better += 1;
    if (found.verdict === 'worse') tally.worse += 1;
    deviate(tally.lift, found.lift.value - world.truth.lift);
    miss(tally.interval, found.lift, world.truth.lift);
  }
  return { truth: world.truth, tally };
}

/** What the first two logs of a cell came to, as digestDecisionCell. */
export function digestSlateCell(of: Omit<Part, 'from' | 'to'>): string {
  const world = makeSlateWorld(of.cell.settings, of.explore);
  const lines = [...evaluated({ ...of, world, from: 0, to: 2 })].map(({ found: { lift, verdict }, against }) => [
    ...[lift.value, lift.low, lift.high].map((one) => one.toPrecision(9)),
    verdict,
    ...against,
  ]);
  return shortDigest(lines.map((line) => line.join(' ')));
}

function* evaluated({ world, cell, seed, from, to, limits }: Part & { world: SlateWorld }) {
  const draw = slateLogs(world);
  for (let replication = from; replication < to; replication += 1) {
    const log = draw(seedOf({ cell: cell.id, seed, replication }));
    const found = estimateCounterfactual({ log, voidedBy: {}, size: world.size, maxReward: 1, limits, level, seed: 1 });
    const against = [...(found.diagnostics ?? []), ...(found.checks ?? [])].filter((one) => !one.passed).map(({ name }) => name);
    yield { found, against };
  }
}
