import type { CauseName } from '../../models/contracts/root-cause.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { type Cell, dayMs, release, type Place, type SlateRates, type World } from './simulated-world.ts';

/*
 * Changes of the last unit, of drawn size and place. Who looks for causes knows nothing of these.
 */

type Plant = (world: World) => void;

const everySlate = (world: World, change: (rates: SlateRates, place: Place) => void): void => {
  world.now.slates.push((place, rates) => change(rates, place));
};
/** One of them, or all. */
const someReplica = ({ draws, replicas }: World, ofAll = 0.5): ((place: Place) => boolean) => {
  if (draws.chance(ofAll)) return () => true;
  const own = draws.oneOf(replicas);
  return ({ replica }) => replica === own;
};
/** Rewards and engagement fall together. */
const worthLess = (world: World, [least, most]: readonly [number, number], where: (place: Place) => boolean = () => true): void => {
  const factor = world.draws.between(least, most);
  everySlate(world, (rates, place) => {
    if (!where(place)) return;
    rates.rewarded *= factor;
    rates.engaged *= Math.sqrt(factor);
  });
};
const perEvent = (world: World, change: Parameters<World['now']['events']['push']>[0]): void => void world.now.events.push(change);

export const plants = {
  fallback(world) {
    const { draws } = world;
    const share = draws.between(0.05, 0.7);
    const where = someReplica(world);
    everySlate(world, (rates, place) => {
      if (where(place)) rates.fallback = share;
    });
    for (const one of world.standings) if (where({ replica: one.replica, cell: world.cells[0] as Cell })) one.modelFailures = 500;
  },
  latency(world) {
    const { draws } = world;
    const [share, timeouts] = [draws.between(0.05, 0.6), draws.chance(0.3) ? draws.between(0.02, 0.2) : 0];
    const where = someReplica(world);
    everySlate(world, (rates, place) => {
      if (where(place)) Object.assign(rates, { slow: share, fallback: Math.max(rates.fallback, share * timeouts) });
    });
  },
  errors(world) {
    const { draws } = world;
    const share = draws.between(0.02, 0.5);
    const where = someReplica(world);
    everySlate(world, (rates, place) => {
      if (where(place)) rates.answered = 1 - share;
    });
    for (const one of world.standings) if (where({ replica: one.replica, cell: world.cells[0] as Cell })) one.failing = share;
  },
  'stale-deployment'(world) {
    const { draws, standings, deployments, live, now } = world;
    const older = deployments.filter(({ generation }) => generation < live.generation).at(-1);
    if (older === undefined) release(world);
    const stuck = older ?? (deployments.at(-2) as (typeof deployments)[number]);
    const own = draws.oneOf(standings);
    Object.assign(own, { generation: stuck.generation, behindMs: draws.between(600_000, dayMs) });
    now.slates.push(({ replica }, rates) => {
      if (replica === own.replica) Object.assign(rates, { generation: stuck.generation, artifact: stuck.artifacts[0] });
    });
    if (draws.chance(0.5)) worthLess(world, [0.6, 0.95], ({ replica }) => replica === own.replica);
  },
  'wrong-artifact'(world) {
    const where = someReplica(world, 0.2);
    const artifact = digestBytes(`foreign ${world.draws.random.uint32()}`);
    everySlate(world, (rates, place) => {
      if (where(place)) rates.artifact = artifact;
    });
    worthLess(world, [0.4, 1], where);
  },
  rules(world) {
    const { draws } = world;
    const rules = digestBytes(`rules ${draws.random.uint32()}`);
    world.live.rules = rules;
    const short = draws.chance(0.5) ? draws.between(0.05, 0.6) : 0;
    everySlate(world, (rates) => Object.assign(rates, { rules, short: Math.max(rates.short, short) }));
    worthLess(world, short === 0 ? [0.4, 0.75] : [0.6, 0.95]);
  },
  volume(world) {
    const kept = world.draws.between(0.15, 0.8);
    everySlate(world, (rates) => {
      rates.kept *= kept;
    });
  },
  schema(world) {
    const { draws } = world;
    const kind = draws.chance(0.5) ? undefined : draws.oneOf(['impression', 'click', 'purchase']);
    const share = draws.between(0.1, 0.8);
    const what = draws.oneOf(['quarantined', 'withoutRequest', 'withoutUser'] as const);
    perEvent(world, ({ source, kind: own }, rates) => {
      if (source !== 'log' || (kind !== undefined && own !== kind)) return;
      rates[what] = Math.max(rates[what], Math.min(0.95, rates[what] + share));
    });
    // An event without its request is no slate's.
    if (what !== 'withoutUser')
      everySlate(world, (rates) => {
        if (kind === undefined) rates.kept *= 1 - share;
        else if (kind === 'impression') rates.seen *= 1 - share;
        else if (kind === 'click') rates.engaged *= 1 - share;
        else rates.rewarded *= 1 - share;
      });
  },
  'missing-source'(world) {
    const { draws } = world;
    const gone = draws.oneOf(['orders', 'add-to-cart', 'view', 'click']);
    const left = draws.between(0, 0.05);
    perEvent(world, ({ source, kind }, rates) => {
      if (source === gone || (source === 'log' && kind === gone)) rates.kept = left;
    });
    if (gone === 'click')
      everySlate(world, (rates) => {
        rates.engaged *= Math.max(left, 0.3);
      });
  },
  duplicates(world) {
    const share = world.draws.between(0.07, 0.7);
    perEvent(world, ({ source }, rates) => {
      if (source === 'log') rates.duplicates = share;
    });
  },
  'late-events'(world) {
    const { draws } = world;
    const share = draws.between(0.15, 0.8);
    perEvent(world, ({ source }, rates) => {
      if (source === 'log') rates.late = share;
    });
    const kept = 1 - share * draws.between(0, 0.4);
    everySlate(world, (rates) => {
      rates.kept *= kept;
    });
  },
  catalog(world) {
    const { draws, now } = world;
    const what = draws.oneOf(['inStock', 'described', 'items'] as const);
    const left = draws.between(0.2, 0.8);
    now.catalog[what] = Math.round(now.catalog[what] * left);
    if (what === 'items') for (const one of ['inStock', 'described', 'priced'] as const) now.catalog[one] = Math.round(now.catalog[one] * left);
    if (what === 'items') perEvent(world, (_what, rates) => Object.assign(rates, { unknownItems: Math.min(0.9, 1 - left) }));
    const short = draws.chance(0.5) ? 0.05 : 0;
    if (what !== 'described') everySlate(world, (rates) => Object.assign(rates, { short: Math.max(rates.short, short) }));
    worthLess(world, [0.6, 1]);
  },
  price(world) {
    const { draws, now } = world;
    const ratio = draws.oneOf([100, 0.01, draws.between(1.25, 3), draws.between(0.3, 0.8)]);
    now.catalog.priceRatio = ratio;
    if (ratio > 1) worthLess(world, [0.4, 0.9]);
  },
  tracking(world) {
    const { draws, devices, countries } = world;
    const device = draws.oneOf(devices);
    const country = draws.chance(0.3) ? draws.oneOf(countries) : undefined;
    const kept = draws.between(0, 0.65);
    everySlate(world, (rates, { cell }) => {
      if (cell.device === device && (country === undefined || cell.country === country)) rates.kept *= kept;
    });
  },
  'new-artifact'(world) {
    if (!releasedNow(world)) release(world);
    worthLess(world, [0.4, 0.8]);
  },
  drift(world) {
    const found = world.draws.oneOf(world.model.drift);
    Object.assign(found, { p: 10 ** -world.draws.between(4, 8), moved: 'items of one category' });
    worthLess(world, [0.6, 0.9]);
  },
  'cold-share'(world) {
    const { draws } = world;
    if (draws.chance(0.5)) {
      const share = draws.between(0.12, 0.5);
      perEvent(world, (_what, rates) => Object.assign(rates, { coldItems: share }));
    } else {
      const left = draws.between(0.2, 0.8);
      everySlate(world, (rates) => Object.assign(rates, { known: rates.known * left }));
    }
    worthLess(world, [0.65, 0.95]);
  },
  'bad-window'(world) {
    const { draws, model } = world;
    if (!releasedNow(world)) release(world);
    const days = 2 + draws.random.below(10);
    const from = draws.random.below(model.window.length - days);
    const left = draws.between(0, 0.4);
    for (const day of model.window.slice(from, from + days)) {
      if (draws.chance(0.5)) day.rows = Math.round(day.rows * left);
      else Object.assign(day, { quarantined: Math.round(day.rows * (1 - left)), rows: Math.round(day.rows * left) });
    }
    worthLess(world, [0.5, 0.9]);
  },
  'feature-mismatch'(world) {
    const { draws, model } = world;
    model.features = { checked: 2_000, different: draws.binomial(2_000, draws.between(0.02, 0.6)) };
    worthLess(world, [0.6, 1]);
  },
  'train-serve-difference'(world) {
    const { draws, model } = world;
    if (draws.chance(0.5) && !releasedNow(world)) release(world);
    model.replayed = { slates: 200, different: draws.binomial(200, draws.between(0.06, 0.9)) };
    worthLess(world, [0.5, 1]);
  },
  season(world) {
    const { draws, now } = world;
    now.volume *= draws.chance(0.5) ? draws.between(0.4, 0.65) : draws.between(1.6, 2.5);
    worthLess(world, [0.93, 1.07]);
  },
  promotion(world) {
    const { draws, now } = world;
    now.promotion = draws.chance(0.5) ? 'sale' : null;
    now.volume *= draws.between(1, 1.6);
    worthLess(world, [1.4, 2.2]);
  },
  'traffic-mix'(world) {
    const { draws, cells, countries, devices, now } = world;
    const value = draws.oneOf([...countries, ...devices, 'new']);
    const factor = draws.between(3, 8);
    const before = now.mix;
    const grown = (cell: Cell) => [cell.country, cell.device, cell.segment].includes(value);
    now.mix = (cell) => before(cell) * (grown(cell) ? factor : 1);
    const whole = cells.reduce((sum, cell) => sum + cell.share * (grown(cell) ? factor : 1), 0);
    now.volume *= whole;
  },
} as const satisfies Record<CauseName, Plant>;

const releasedNow = (world: World): boolean => (world.deployments.at(-1)?.atMs ?? 0) > world.startMs + (world.before.length - 0.1) * dayMs;
