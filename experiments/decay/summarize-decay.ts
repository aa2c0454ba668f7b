import type { Interval } from '../../models/contracts/verdict.ts';
import type { AgePoint, Cost, DecayFacts, HistoryPoint, WarmPoint } from './decay-study.ts';
import { groupCount, ratioOfSums } from './group-sums.ts';
import type { DecayPlan } from './plan-decay.ts';

/** One model on one test part. `sums`: [groups] of the metric over the users of each. */
export type Arm = { sums: ArrayLike<number>; cost: Cost };

/** What was measured on one test part; an arm that there was no time for is absent. */
export type Origin = {
  /** [groups] users */
  counts: ArrayLike<number>;
  ages: ReadonlyMap<number /** weeks */, Arm>;
  histories: ReadonlyMap<number /** days */, Arm>;
  warm: Arm | undefined;
};

type Pick = (origin: Origin) => Arm | undefined;

type Input = { origins: readonly Origin[]; plan: DecayPlan; seed: number; minUsers: number };

/**
 * Curves over all test parts; two models are compared where both were measured, user by user. Pure, and the same for the same seed.
 * @param minUsers of fewer nothing is said: their intervals would be narrower than the truth
 */
export function summarizeDecay({ origins, plan, seed, minUsers }: Input): DecayFacts {
  const about = measuresOf({ origins, seed, minUsers });
  const age =
    (weeks: number): Pick =>
    (origin) =>
      origin.ages.get(weeks);
  const fresh = age(0);
  const ages = plan.weeks.map((weeks): AgePoint => {
    const own = age(weeks);
    return { weeks, ...about.own(own), change: weeks === 0 ? null : about.change(own, fresh) };
  });
  const histories = historyCurve({ about, plan });
  const began: Pick = ({ warm }) => warm;
  const warm: WarmPoint | null = origins.some(({ warm: one }) => one !== undefined)
    ? { steps: plan.warmSteps, ...withoutQuality(about.own(began)), change: about.change(began, fresh), cold: about.own(fresh).cost }
    : null;
  return { ages: ages.filter(({ origins: count }) => count > 0), histories, warm };
}

type Measures = ReturnType<typeof measuresOf>;

function historyCurve({ about, plan }: { about: Measures; plan: DecayPlan }): HistoryPoint[] {
  const length =
    (days: number): Pick =>
    (origin) =>
      origin.histories.get(days);
  const known = plan.histories.filter(({ days }) => about.own(length(days)).origins > 0);
  const best = known.reduce<number | undefined>((most, { days }) => {
    const quality = (one: number | undefined) => (one === undefined ? undefined : about.own(length(one)).quality?.value) ?? Number.NEGATIVE_INFINITY;
    return most === undefined || quality(days) > quality(most) ? days : most;
  }, undefined);
  return known.map(({ months, days }, place) => {
    const shorter = known[place - 1];
    const own = length(days);
    return {
      ...{ months, days },
      ...about.own(own),
      change: days === best ? { value: 0, low: 0, high: 0 } : about.change(own, length(best ?? days)),
      gainAMonth: shorter === undefined ? null : about.change(own, length(shorter.days), months - shorter.months),
    };
  });
}

const withoutQuality = ({ quality: _, ...rest }: ReturnType<Measures['own']>) => rest;

function measuresOf({ origins, seed, minUsers }: Omit<Input, 'plan'>) {
  const ratio = (users: number, sums: { over: Float64Array; under: Float64Array }) => (users < minUsers ? null : ratioOfSums({ ...sums, seed }));
  const added = (origin: Origin, into: Float64Array, of: (group: number) => number) => {
    for (let group = 0; group < origin.counts.length; group += 1) into[group] = (into[group] as number) + of(group);
  };
  return {
    own(pick: Pick): { origins: number; users: number; quality: Interval | null; cost: Cost } {
      const [over, under] = [new Float64Array(groupCount), new Float64Array(groupCount)];
      const costs: Cost[] = [];
      let users = 0;
      for (const origin of origins) {
        const arm = pick(origin);
        if (arm === undefined) continue;
        added(origin, over, (group) => arm.sums[group] as number);
        added(origin, under, (group) => origin.counts[group] as number);
        costs.push(arm.cost);
        users += usersOf(origin);
      }
      const mean = (of: (cost: Cost) => number) => costs.reduce((sum, cost) => sum + of(cost), 0) / Math.max(1, costs.length);
      return {
        ...{ origins: costs.length, users },
        quality: ratio(users, { over, under }),
        cost: { rows: Math.round(mean(({ rows }) => rows)), seconds: mean(({ seconds }) => seconds) },
      };
    },
    /** (one - other) / other, shared out over `parts`. */
    change(one: Pick, other: Pick, parts = 1): Interval | null {
      const [over, under] = [new Float64Array(groupCount), new Float64Array(groupCount)];
      let users = 0;
      for (const origin of origins) {
        const [mine, theirs] = [one(origin), other(origin)];
        if (mine === undefined || theirs === undefined) continue;
        users += usersOf(origin);
        added(origin, over, (group) => ((mine.sums[group] as number) - (theirs.sums[group] as number)) / parts);
        added(origin, under, (group) => theirs.sums[group] as number);
      }
      return ratio(users, { over, under });
    },
  };
}

const usersOf = ({ counts }: Origin): number => Array.from(counts).reduce((sum, count) => sum + count, 0);
