import type { Exploration } from '../../models/contracts/slate.ts';
import { createRandom, type Random } from '../../models/random.ts';
import { type Customer, makePersonas, type Persona } from '../simulator/personas.ts';
import { respond, trueValue } from '../simulator/respond.ts';
import { aliasOf, pick } from '../simulator/alias.ts';
import { defaultTruth, type Truth } from '../simulator/truth.ts';
import { demandWeight, type GenerationLog, type OrganicEvent, type ShownSlate } from './shown-slate.ts';

/** Somebody took an item. The weight is what the training counts it for. */
export type Taken = { unit: string; itemId: string; weight: number };

/** Trains a model on what was taken: how it ranks all items for a history, best first. */
export type Retrain = (input: { taken: readonly Taken[]; itemIds: readonly string[]; seed: number }) => Promise<(history: readonly string[]) => string[]>;

/** Explores a slate: exploreSlate of models/slate/explore.ts, passed in. */
export type ExploreRanked = (input: { ranked: readonly string[]; size: number; excluded: ReadonlySet<string>; seed: number; drawId: string }) => {
  items: string[];
  propensities: number[];
  exploration: Exploration | null;
};

export type LoopSettings = {
  items: number;
  /** Tastes that people have; each item is of one. */
  tastes: number;
  customers: number;
  generations: number;
  /** Shoppers of a generation, each made after a customer: what is wanted is the same in each of them but for chance. */
  shoppers: number;
  slatesEach: number;
  /** Generations whose takings a training learns from. */
  windowGenerations: number;
  /** Of the wants of a shopper, the share that is bought without a slate. */
  organicShare: number;
  /** An engagement counts for at most so many. */
  maxWeight: number;
  /** A slate's share of explored places; 0 none. Whether one more generation is explored and weighted, by what happened before it. */
  isMended: (past: readonly LoopGeneration[]) => boolean;
  /** `takings`: what was taken from slates, the loop. `demand`: events without a slate alone, so that no model learns from another. */
  learnsFrom: 'takings' | 'demand';
  seed: number;
};

export type LoopGeneration = { log: GenerationLog /** Expected purchases of a slate, by the truth. */; value: number; mended: boolean };

const slateSize = 10;
/** Wants and past purchases of a customer. */
const [wantCount, pastCount] = [12, 6];
const dayMs = 86_400_000;

export const itemIdsOf = (count: number): string[] => Array.from({ length: count }, (_, rank) => `i${String(rank).padStart(4, '0')}`);

/**
 * Generations of a model that is trained on what was taken from the slates of the generations before it, in a world whose demand does not change. The first one learns from
 * what customers bought before there was a model. Where it is not mended, slates are the model's best and what is taken counts as it is: what is not shown is not
 * taken, and what is not taken is not shown. Mended, slates are explored, and what is taken counts by the inverse of the probability that it was shown.
 */
export async function* simulateLoop(
  settings: LoopSettings,
  { retrain, explore }: { retrain: Retrain; explore: ExploreRanked },
): AsyncGenerator<LoopGeneration> {
  const { generations, windowGenerations, seed } = settings;
  const itemIds = itemIdsOf(settings.items);
  const customers = drawCustomers({ ...settings, itemIds, random: createRandom(seed) });
  const past: LoopGeneration[] = [];
  let takings: Taken[][] = [customers.flatMap(({ customerId, history }) => history.map((itemId) => ({ unit: customerId, itemId, weight: 1 })))];
  for (let number = 1; number <= generations; number += 1) {
    const ranked = await retrain({ taken: takings.flat(), itemIds, seed: seed + number });
    const mended = settings.isMended(past);
    const personas = makePersonas({ customers, count: settings.shoppers, seed: seed * 1000 + number, prefix: `g${number}` });
    const played = playGeneration({ settings, number, personas, ranked, explore: mended ? explore : undefined });
    const taken = settings.learnsFrom === 'demand' ? played.log.organic.map((one) => ({ ...one, weight: 1 })) : takenFrom(played.log, settings.maxWeight);
    takings = [...takings, taken].slice(-windowGenerations);
    past.push({ ...played, mended });
    yield { ...played, mended };
  }
}

/** Nine in ten items that a customer buys or wants are of one taste; an item's popularity falls with its rank. */
function drawCustomers({ itemIds, tastes, customers, random }: Pick<LoopSettings, 'tastes' | 'customers'> & { itemIds: string[]; random: Random }): Customer[] {
  const all = drawOf(itemIds, random);
  const own = Array.from({ length: tastes }, (_, taste) =>
    drawOf(
      itemIds.filter((_, rank) => rank % tastes === taste),
      random,
    ),
  );
  return Array.from({ length: customers }, (_, number) => {
    const found = new Set<string>();
    while (found.size < pastCount + wantCount) found.add((random.float() < 0.9 ? (own[number % tastes] as () => string) : all)());
    // What is drawn first is likely to be popular: past and wants are to be alike.
    const drawn = [...found];
    for (let place = drawn.length - 1; place > 0; place -= 1) {
      const other = random.below(place + 1);
      [drawn[place], drawn[other]] = [drawn[other] as string, drawn[place] as string];
    }
    return { customerId: `c${number}`, history: drawn.slice(0, pastCount), wants: drawn.slice(pastCount).map((itemId) => ({ itemId, repeat: false })) };
  });
}

function drawOf(from: readonly string[], random: Random): () => string {
  const alias = aliasOf(Float64Array.from(from, (_, rank) => (rank + 5) ** -0.7));
  return () => from[pick(alias, random.uint32())] as string;
}

type Played = {
  settings: LoopSettings;
  number: number;
  personas: readonly Persona[];
  ranked: (history: readonly string[]) => string[];
  explore: ExploreRanked | undefined;
};

function playGeneration({ settings, number, personas, ranked, explore }: Played): Omit<LoopGeneration, 'mended'> {
  const random = createRandom(settings.seed * 7919 + number);
  const truth: Truth = defaultTruth;
  const slates: ShownSlate[] = [];
  const organic: OrganicEvent[] = [];
  let value = 0;
  for (const persona of personas) {
    const unit = `u:${persona.userId}`;
    const bought = new Set(persona.wants.flatMap(({ itemId }) => (random.float() < settings.organicShare ? [itemId] : [])));
    for (const itemId of bought) organic.push({ unit, itemId });
    persona.wants = persona.wants.filter(({ itemId }) => !bought.has(itemId));
    for (let visit = 0; visit < settings.slatesEach; visit += 1) {
      const excluded = new Set(persona.history);
      const order = ranked(persona.history).filter((itemId) => !excluded.has(itemId));
      const requestId = `${persona.userId}-${visit}`;
      const shown = explore?.({ ranked: order, size: slateSize, excluded, seed: random.uint32(), drawId: requestId });
      const items = shown?.items ?? order.slice(0, slateSize);
      value += trueValue({ persona, slate: items, truth });
      const events = respond({ persona, slate: items, requestId, surface: 'loop', atMs: number * dayMs, truth, random });
      const clicked = new Set(events.filter(({ kind }) => kind === 'click').map(({ itemId }) => itemId));
      const isExplored = shown !== undefined && shown.exploration !== null;
      slates.push({
        unit,
        items,
        engaged: items.map((itemId) => clicked.has(itemId)),
        propensities: isExplored ? shown.propensities : null,
        exploredSlots: shown?.exploration?.slots ?? [],
      });
    }
  }
  return { log: { name: `model ${number}`, fromMs: number * dayMs, slates, organic }, value: value / Math.max(1, slates.length) };
}

/** What was taken from slates: 1 each, or by how seldom it was shown. */
function takenFrom({ slates }: GenerationLog, maxWeight: number): Taken[] {
  return slates.flatMap((slate) =>
    slate.items.flatMap((itemId, slot) =>
      slate.engaged[slot] === true ? [{ unit: slate.unit, itemId, weight: Math.min(maxWeight, demandWeight(slate, slot) ?? 1) }] : [],
    ),
  );
}
