import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { meanInterval } from '../../experiments/counterfactual/mean-interval.ts';
import { catalogItem } from '../../models/contracts/catalog-item.ts';
import { charterGeneration } from '../../models/contracts/charter-generation.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import type { FairnessRules } from '../../models/contracts/fairness.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { type FairGroups, fairGroups, groupsIn } from '../../models/slate/arrange.ts';
import { exposureShares } from '../../models/slate/fair-exposure.ts';
import { adjustedSignificance, isFair } from '../../models/slate/fair-top-k.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readDeployment } from '../../stores/deployments.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { readCharter } from '../context.ts';
import { type MeasureContext, type MeasureInput, type SampledSlate, sampleLog } from './measure-log.ts';

/** That any interval of a group is wrong. */
const error = 0.05;
const none: readonly number[] = [];

/** How much groups of items had of what the charter owes them. */
export type OwedMeasures = {
  /** From when on the charter has had the rules that it has; the end of what is looked at where it has others by now. */
  sinceMs: number;
  /** Slates of the model since then, and those of them that are measured: made by these rules, of a catalog that is still there. */
  slates: number;
  measured: number;
  /** That had a slate that is measured. */
  units: number;
  /** Intervals that hold together; none where there are fewer units than the charter judges by. */
  groups: { group: string; ratio: Interval }[];
};

/**
 * What the slates gave to groups of items, of what the charter's fairness owes them: with `exposure` the group's share of exposure by its `minShare`, with `fa-ir` the share of slates that
 * have as many of the group as is asked for. Slates as they were shown, explored places included; of the model alone.
 *
 * A charter reaches the slates with a release, and catalogs change: a slate is held against the rules, and its items are of the groups, of the deployment that made it. One that was made by other
 * rules owed nothing of this.
 * @throws UND-LOG-UNAVAILABLE where the log cannot be read
 */
export async function measureOwedExposure(context: MeasureContext, { rules, ...input }: MeasureInput & { rules: FairnessRules }): Promise<OwedMeasures> {
  const { surface, charter, signal } = input;
  const sinceMs = await owedSince(context, { surface, rules, untilMs: input.toMs });
  const { slates } = await sampleLog(context, { ...input, fromMs: Math.max(input.fromMs, sinceMs), wanted: new Set() });
  const ofModel = slates.filter(({ rung, items }) => rung === 'model' && items.length > 0);
  const groupsAt = groupsOfDeployments(context, { surface, rules, signal });
  const sharesOf = slateShares(rules, charter.slate.size);
  const sums = new Map<string, { slates: number; shares: number[] }>();
  let measured = 0;
  for (const slate of ofModel) {
    const groups = await groupsAt(slate.generation);
    if (groups === null) continue;
    measured += 1;
    const own = sums.get(slate.unit) ?? { slates: 0, shares: groupsIn(rules).map(() => 0) };
    const shares = sharesOf(slate, groups);
    sums.set(slate.unit, { slates: own.slates + 1, shares: own.shares.map((sum, group) => sum + (shares[group] as number)) });
  }
  const means = [...sums.values()].map((own) => own.shares.map((sum) => sum / own.slates));
  const found = { sinceMs, slates: ofModel.length, measured, units: means.length };
  if (means.length < charter.evaluation.minSegmentUsers) return { ...found, groups: [] };
  return { ...found, groups: await ratiosOf(means, { rules, seed: charter.seed, signal }) };
}

/** When the charter's generation came from which on its fairness is what it is: another one with the same rules begins nothing. */
async function owedSince({ state }: MeasureContext, { surface, rules, untilMs }: { surface: string; rules: FairnessRules; untilMs: number }): Promise<number> {
  const series = `charter/${surface}`;
  const wanted = canonicalJson(rules);
  let sinceMs = untilMs;
  for (let generation = (await state.generations.latest(series))?.generation ?? 0; generation > 0; generation -= 1) {
    const document = await state.generations.read(series, generation);
    const { charter, atMs } = parseGeneration(charterGeneration, { series, generation, document });
    // Of one that can be read no more nothing is known.
    const before = await readCharter(state.blobs, charter).catch(() => undefined);
    if (canonicalJson(before?.fairness ?? null) !== wanted) break;
    sinceMs = atMs;
  }
  return sinceMs;
}

/** By a deployment's generation: the groups that its items are of. Null where it went by other rules, or cannot be read any more. */
function groupsOfDeployments({ state }: MeasureContext, { surface, rules, signal }: { surface: string; rules: FairnessRules; signal: AbortSignal }) {
  const wanted = canonicalJson(rules);
  const known = new Map<number, FairGroups | null>();
  const isWanted = new Map<string, boolean>();
  const byCatalog = new Map<string, FairGroups>();
  const read = async (generation: number): Promise<FairGroups | null> => {
    const { charter, catalog } = await readDeployment(state.generations, surface, generation);
    const isSame = isWanted.get(charter) ?? canonicalJson((await readCharter(state.blobs, charter)).fairness ?? null) === wanted;
    isWanted.set(charter, isSame);
    if (!isSame) return null;
    const groups = byCatalog.get(catalog) ?? fairGroups(rules, await getDocument(state.blobs, catalog, z.array(catalogItem)));
    byCatalog.set(catalog, groups);
    return groups;
  };
  return async (generation: number): Promise<FairGroups | null> => {
    const found = known.get(generation);
    if (found !== undefined) return found;
    signal.throwIfAborted();
    const groups = await read(generation).catch(() => null);
    known.set(generation, groups);
    return groups;
  };
}

/** [groups] of one slate, within 0 and 1: each group's share of its exposure; or whether it is fair. */
function slateShares(rules: FairnessRules, usualSize: number): (slate: Pick<SampledSlate, 'items' | 'count'>, groups: FairGroups) => number[] {
  if (rules.method === 'exposure') return ({ items }, groups) => exposureShares(items, rules.groups.length, (item) => groups.get(item) ?? none);
  const { share, significance } = rules;
  const tables = new Map<number, readonly number[]>();
  return ({ items, count: size = usualSize }, groups) => {
    // By what was asked for: a slate that came out short was made to be as fair as a whole one.
    const table = tables.get(size) ?? adjustedSignificance({ size, share, significance }).table;
    tables.set(size, table);
    return [Number(isFair(items, table, (item) => groups.has(item)))];
  };
}

/**
 * By betting, as between groups of users: a group that is owed little may be in no slate of a small sample. A unit is one draw, however many slates it had.
 * @param means [units][groups]
 */
async function ratiosOf(means: readonly number[][], { rules, seed, signal }: { rules: FairnessRules; seed: number; signal: AbortSignal }) {
  const order = means.slice();
  const random = createRandom(seed);
  // Betting goes by the order, which must say nothing of the shares.
  for (let place = order.length - 1; place > 0; place -= 1) {
    const other = random.below(place + 1);
    [order[place], order[other]] = [order[other] as number[], order[place] as number[]];
  }
  const asked = rules.method === 'fa-ir' ? [{ name: rules.group.name, least: 1 }] : rules.groups.map(({ name, minShare }) => ({ name, least: minShare }));
  const groups: OwedMeasures['groups'] = [];
  for (const [group, { name, least }] of asked.entries()) {
    // Rounding may lead out of the bounds.
    const values = Float64Array.from(order, (shares) => Math.min(1, shares[group] as number));
    const { value, low, high } = meanInterval({ values, low: 0, high: 1, level: 1 - error / asked.length });
    groups.push({ group: name, ratio: { value: value / least, low: low / least, high: high / least } });
    signal.throwIfAborted();
    await nextTurn();
  }
  return groups;
}
