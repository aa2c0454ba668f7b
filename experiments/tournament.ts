import type { Tournament, TournamentEntry, UserSums } from '../models/contracts/tournament.ts';
import { type BootstrapSettings, GroupedMeans } from './ranking/grouped-means.ts';

/** One candidate; of all the sums are of the same users, in the same order. */
export type Entrant = Pick<TournamentEntry, 'candidate' | 'runId' | 'artifact' | 'trainSeconds' | 'bytes' | 'p50Ms' | 'p99Ms'> & { sums: UserSums };

type Input = {
  entrants: readonly Entrant[];
  /** As a share of the best's figure. */
  margin: number;
  cheapest: Tournament['cheapest'];
  /** That so many go on: of several the best ones, whatever they cost. */
  taken: number;
  seed: number;
};

/** Of all comparisons with the best together. */
const confidence = 0.95;

/**
 * Compares candidates user by user with the best of them: the paired bootstrap's lower bound of the difference, one-sided, at 1 - .05 / (comparisons)
 * (Bonferroni). Where one goes on it is the cheapest of those whose bound lies above minus the margin; of equal costs, the better.
 * @throws UND-INPUT where they were not measured on the same users
 */
export function decideTournament({ entrants, margin, cheapest, taken, seed }: Input): Tournament {
  const means = new Map(entrants.map((one) => [one, GroupedMeans.ofSums(one.sums)]));
  const meanOf = (one: Entrant) => means.get(one) as GroupedMeans;
  const metric = entrants[0]?.sums.metric ?? '';
  const averageOf = (one: Entrant) => meanOf(one).means()[metric] ?? 0;
  const ranked = [...entrants].sort((a, b) => averageOf(b) - averageOf(a));
  const [best, ...others] = ranked as [Entrant, ...Entrant[]];
  const allowed = margin * averageOf(best);
  const level = 1 - (2 * (1 - confidence)) / Math.max(1, others.length);
  // As the report has it.
  const shown: BootstrapSettings = { seed, replications: 500 };
  const tested: BootstrapSettings = { seed, replications: 2_000, level };
  const compared = ranked.map((one) => {
    const { sums: _, ...about } = one;
    const quality = meanOf(one).intervals(shown)[metric] as TournamentEntry['quality'];
    const lift = one === best ? null : (meanOf(one).lift(meanOf(best), tested)[metric] as TournamentEntry['quality']);
    return { ...about, quality, lift, isNear: lift === null || lift.low > -allowed };
  });
  const near = compared.filter(({ isNear }) => isNear).sort((a, b) => costOf(a, cheapest) - costOf(b, cheapest) || compared.indexOf(a) - compared.indexOf(b));
  const goOn = new Set(taken === 1 ? near.slice(0, 1) : compared.slice(0, taken));
  const entries = compared.map((one) => ({ ...one, isTaken: goOn.has(one) }));
  const told = { metric, margin: allowed, cheapest, confidence, entries };
  return { ...told, message: sentenceOf(told) };
}

type Costs = Pick<TournamentEntry, 'trainSeconds' | 'bytes' | 'p99Ms'>;

/** What is not known is no bargain. */
function costOf({ trainSeconds, bytes, p99Ms }: Costs, cheapest: Tournament['cheapest']): number {
  return { training: trainSeconds ?? Number.POSITIVE_INFINITY, size: bytes, latency: p99Ms }[cheapest];
}

const words: Record<Tournament['cheapest'], string> = { training: 'the training', size: 'the bytes', latency: 'the p99' };

/** In one sentence, with the figures: who goes on, and of each other one why not. */
export function sentenceOf({ margin, cheapest, entries }: Omit<Tournament, 'message'>): string {
  const taken = entries.filter(({ isTaken }) => isTaken);
  const names = taken.map(({ candidate }) => candidate).join(', ');
  const [first] = taken as [TournamentEntry, ...TournamentEntry[]];
  const shown = taken.map(({ candidate, quality: { value, low, high } }) => `${candidate} ${figure(value)} [${figure(low)}, ${figure(high)}]`).join(', ');
  const rest = entries.filter(({ isTaken }) => !isTaken);
  if (taken.length > 1)
    return `${shown}; ${rest.map((one) => `${one.candidate} ${figure(one.quality.value)} is behind them`).join('; ') || 'no other came'}: ${names}`;
  const why = rest.map((one) => {
    const named = `${one.candidate} ${figure(one.quality.value)}`;
    if (!one.isNear) return `${named} may be worse than ${(entries[0] as TournamentEntry).candidate} by more than ${figure(margin)}`;
    const quality = one.quality.value > first.quality.value ? `is not better beyond ${figure(margin)}` : 'is not better';
    return `${named} ${quality} and ${priceOf(one, first, cheapest)}`;
  });
  return `${shown}; ${why.join('; ')}: ${names}`;
}

function priceOf(one: Costs, than: Costs, cheapest: Tournament['cheapest']): string {
  const [own, theirs] = [costOf(one, cheapest), costOf(than, cheapest)];
  if (own === Number.POSITIVE_INFINITY) return 'what its training costs is not known here';
  const times = theirs === 0 ? Number.POSITIVE_INFINITY : own / theirs;
  if (times < 1.05) return `costs as much of ${words[cheapest]}`;
  return Number.isFinite(times) ? `costs ${times >= 10 ? Math.round(times) : times.toFixed(1)} times ${words[cheapest]}` : `costs more of ${words[cheapest]}`;
}

/** `.0842`; at least three digits that tell something, where it is small. */
const figure = (value: number): string => {
  const digits = value === 0 ? 4 : Math.max(4, 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(8, digits));
};
