import { digestBytes } from '../../models/contracts/digest.ts';
import type { CatalogRow, RootCauseFacts } from '../../models/contracts/root-cause.ts';
import { createRandom } from '../../models/random.ts';
import { withoutFalseDiscoveries } from '../drift/false-discoveries.ts';
import { type Draws, drawsOf } from './draw-counts.ts';

/*
 * A surface whose days are as real ones are: overdispersed, with memory, of other size on other weekdays, with releases and changes of rules that do no harm. What is
 * planted changes how the last unit is drawn (`plant-causes.ts`), never what was drawn.
 */

export const dayMs = 86_400_000;

export type Cell = { country: string; device: string; segment: string; share: number; seen: number; engaged: number; rewarded: number };

/** How the slates of one cell and replica come out. */
export type SlateRates = {
  artifact: string;
  generation: number;
  rules: string;
  /** Of the slates that are asked for. */
  answered: number;
  fallback: number;
  /** What a slate of the fallback is worth, as a share of the model's. */
  fallbackWorth: number;
  slow: number;
  short: number;
  known: number;
  /** Share of the events that come. */
  kept: number;
  seen: number;
  engaged: number;
  rewarded: number;
};
export type EventRates = {
  kept: number;
  duplicates: number;
  quarantined: number;
  late: number;
  unknownItems: number;
  coldItems: number;
  withoutUser: number;
  withoutRequest: number;
  withoutPrice: number;
};

export type Place = { cell: Cell; replica: string };
export type Plan = {
  /** Slates that are asked for. */
  volume: number;
  /** Other visitors: what a cell's share is multiplied with. */
  mix: (cell: Cell) => number;
  slates: ((place: Place, rates: SlateRates) => void)[];
  events: ((what: { source: string; kind: string }, rates: EventRates) => void)[];
  catalog: Omit<CatalogRow, 'unit'>;
  promotion: string | null;
};

/** A replica, and the share of its requests that fail. */
export type Standing = RootCauseFacts['replicas'][number] & { failing: number };

export type World = {
  draws: Draws;
  cells: Cell[];
  countries: string[];
  devices: string[];
  replicas: string[];
  before: Plan[];
  now: Plan;
  deployments: RootCauseFacts['deployments'];
  standings: Standing[];
  model: NonNullable<RootCauseFacts['model']>;
  /** Artifact, generation and rules of the last unit, and of those before. */
  live: { artifact: string; generation: number; rules: string };
  startMs: number;
};

export type SimulatedSize = { units?: number; slates?: readonly [least: number, most: number] };

/** A surface on which nothing is wrong. */
export function drawWorld(seed: number, { units: count = 28, slates = [2_000, 60_000] }: SimulatedSize = {}): World {
  const draws = drawsOf(createRandom(seed));
  const startMs = Date.UTC(2026, 0, 5) + draws.random.below(200) * dayMs;
  const countries = ['gb', 'de', 'fr', 'us', 'nl'].slice(0, 2 + draws.random.below(4));
  const devices = ['web', 'ios', 'android'];
  const replicas = ['r1', 'r2', 'r3', 'r4'].slice(0, 2 + draws.random.below(3));
  const cells = drawCells({ draws, countries, devices });
  const base = Math.exp(draws.between(Math.log(slates[0]), Math.log(slates[1])));
  const weekly = Array.from({ length: 7 }, () => draws.factor(0.12));
  const items = 500 + draws.random.below(20_000);
  const volumes = draws.factors(count + 1, { deviation: 0.08, memory: 0.5 });
  const deviations = { seen: 0.02, engaged: 0.04, rewarded: 0.05, fallback: 0.3, slow: 0.3, known: 0.02 };
  const days = Object.fromEntries(Object.entries(deviations).map(([name, deviation]) => [name, draws.factors(count + 1, { deviation, memory: 0.4 })]));
  const usual = { fallback: draws.between(0.001, 0.01), slow: draws.between(0.002, 0.012), short: draws.between(0, 0.004) };
  const mess: EventRates = {
    kept: 1,
    duplicates: draws.between(0.002, 0.02),
    quarantined: draws.between(0.001, 0.01),
    late: draws.between(0.005, 0.04),
    unknownItems: draws.between(0.001, 0.01),
    coldItems: draws.between(0.01, 0.05),
    withoutUser: draws.between(0.1, 0.5),
    withoutRequest: draws.between(0.02, 0.2),
    withoutPrice: draws.between(0, 0.02),
  };
  const deployments = drawDeployments({ draws, startMs, count });
  const plans = Array.from({ length: count + 1 }, (_, unit): Plan => {
    const drift = new Map(cells.map((cell) => [cell, draws.factor(0.06)]));
    const noisy = Object.fromEntries(Object.keys(mess).map((name) => [name, draws.factor(name.startsWith('without') ? 0.05 : 0.3)]));
    const live = liveAt(deployments, startMs + unit * dayMs);
    return {
      volume: base * (weekly[(unit + weekdayOf(startMs)) % 7] as number) * (volumes[unit] as number),
      mix: (cell) => drift.get(cell) as number,
      slates: [
        (_place, rates) => {
          Object.assign(rates, { artifact: live.artifacts[0], generation: live.generation, rules: digestBytes('rules') });
          for (const name of Object.keys(deviations) as (keyof typeof deviations)[]) rates[name] *= days[name]?.[unit] as number;
          rates.known = Math.min(1, rates.known);
        },
      ],
      events: [
        (_what, rates) => {
          for (const name of Object.keys(mess) as (keyof EventRates)[]) if (name !== 'kept') rates[name] = Math.min(0.9, mess[name] * (noisy[name] as number));
        },
      ],
      catalog: catalogOf({ draws, items: Math.round(items * (1 + unit * 0.001)) }),
      promotion: null,
    };
  });
  for (const plan of plans) plan.slates.unshift((_place, rates) => Object.assign(rates, usual));
  const newest = deployments.at(-1) as RootCauseFacts['deployments'][number];
  const live = { artifact: newest.artifacts[0] as string, generation: newest.generation, rules: digestBytes('rules') };
  const model: World['model'] = {
    artifact: live.artifact,
    sinceMs: newest.atMs,
    trainedAtMs: newest.atMs - 3 * 3_600_000,
    window: Array.from({ length: 28 }, (_, day) => {
      const expected = base * (weekly[day % 7] as number);
      const rows = Math.round(expected * draws.factor(0.12));
      return {
        day: dayOf(newest.atMs - (28 - day) * dayMs),
        rows,
        usual: Math.round(expected),
        quarantined: Math.round(rows * mess.quarantined * draws.factor(0.3)),
      };
    }),
    features: { checked: 2_000, different: draws.binomial(2_000, draws.between(0, 0.002)) },
    replayed: { slates: 200, different: draws.binomial(200, draws.between(0, 0.005)) },
    drift: adjustedDraws(draws, ['user-vectors', 'item-vectors', 'scores']),
  };
  const standings = replicas.map((replica) => ({
    replica,
    live: true,
    generation: live.generation,
    behindMs: 0,
    requests: 0,
    failed: 0,
    modelFailures: 0,
    failing: 0.0005,
  }));
  const world: World = {
    draws,
    cells,
    countries,
    devices,
    replicas,
    before: plans.slice(0, -1),
    now: plans.at(-1) as Plan,
    deployments,
    standings,
    model,
    live,
    startMs,
  };
  decoys(world);
  return world;
}

/** What happens on any day and does no harm. */
function decoys(world: World): void {
  const { draws, now } = world;
  if (draws.chance(0.4)) release(world);
  if (draws.chance(0.15)) {
    world.live.rules = digestBytes('other rules');
    now.slates.push((_place, rates) => Object.assign(rates, { rules: world.live.rules }));
  }
  for (const standing of world.standings) if (draws.chance(0.1)) standing.behindMs = draws.between(0, 3_000);
}

/** A new champion goes live as the last unit begins. */
export function release(world: World): void {
  const { draws, now, live } = world;
  const atMs = world.startMs + world.before.length * dayMs - draws.random.below(3_600_000);
  const generation = live.generation + 1;
  const artifact = digestBytes(`artifact ${generation} ${draws.random.uint32()}`);
  world.deployments.push({ generation, atMs, artifacts: [artifact], releaseId: `release-${generation}`, by: 'release' });
  Object.assign(live, { generation, artifact });
  now.slates.push((_place, rates) => Object.assign(rates, { generation, artifact }));
  for (const standing of world.standings) if (standing.generation === generation - 1) standing.generation = generation;
  Object.assign(world.model, { artifact, sinceMs: atMs, trainedAtMs: atMs - 3 * 3_600_000 });
}

function drawCells({ draws, countries, devices }: { draws: Draws; countries: string[]; devices: string[] }): Cell[] {
  const sizes = new Map([...countries, ...devices].map((name) => [name, draws.between(0.3, 1)]));
  const worth = new Map([...countries, ...devices].map((name) => [name, draws.factor(0.25)]));
  const segments = [
    { segment: 'known', share: draws.between(0.4, 0.6), rewarded: 0.06 },
    { segment: 'new', share: draws.between(0.2, 0.4), rewarded: 0.03 },
    { segment: 'loyal', share: draws.between(0.1, 0.2), rewarded: 0.12 },
  ];
  const cells = countries.flatMap((country) =>
    devices.flatMap((device) =>
      segments.map(({ segment, share, rewarded }) => {
        const factor = (worth.get(country) as number) * (worth.get(device) as number);
        return {
          country,
          device,
          segment,
          share: share * (sizes.get(country) as number) * (sizes.get(device) as number) * draws.factor(0.2),
          seen: draws.between(0.8, 0.95),
          engaged: Math.min(0.6, 0.2 * factor),
          rewarded: Math.min(0.3, rewarded * factor),
        };
      }),
    ),
  );
  const whole = cells.reduce((sum, { share }) => sum + share, 0);
  return cells.map((cell) => ({ ...cell, share: cell.share / whole }));
}

function drawDeployments({ draws, startMs, count }: { draws: Draws; startMs: number; count: number }): RootCauseFacts['deployments'] {
  const found: RootCauseFacts['deployments'] = [];
  const every = 5 + draws.random.below(10);
  for (let day = -draws.random.below(every); day < count - 1; day += every) {
    const generation = found.length + 1;
    const artifact = digestBytes(`artifact ${generation} ${draws.random.uint32()}`);
    found.push({ generation, atMs: startMs + day * dayMs, artifacts: [artifact], releaseId: `release-${generation}`, by: 'release' });
  }
  return found;
}

const liveAt = (deployments: RootCauseFacts['deployments'], atMs: number) =>
  deployments.findLast((one) => one.atMs <= atMs) ?? (deployments[0] as RootCauseFacts['deployments'][number]);

function catalogOf({ draws, items }: { draws: Draws; items: number }): Plan['catalog'] {
  const inStock = Math.round(items * Math.min(1, 0.85 * draws.factor(0.01)));
  return { items, inStock, described: Math.round(items * 0.97), priced: Math.round(items * 0.98), priceRatio: draws.factor(0.004) };
}

export const weekdayOf = (atMs: number): number => (new Date(atMs).getUTCDay() + 6) % 7;
const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);

function adjustedDraws({ random }: Draws, questions: readonly string[]): World['model']['drift'] {
  const adjusted = withoutFalseDiscoveries(questions.map(() => random.float()));
  return questions.map((what, place) => ({ what, p: adjusted[place] as number, moved: 'none' }));
}
