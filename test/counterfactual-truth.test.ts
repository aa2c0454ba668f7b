import { expect, it } from 'vitest';
import { estimateCounterfactual } from '../experiments/counterfactual/estimate-counterfactual.ts';
import type { LoggedSlate } from '../experiments/counterfactual/logged-slate.ts';
import { limits } from '../experiments/counterfactual/testing.ts';
import { attributeReward } from '../experiments/reward/attribute-reward.ts';
import { type Customer, makePersonas, type Persona } from '../experiments/simulator/personas.ts';
import { respond, trueValue } from '../experiments/simulator/respond.ts';
import { defaultTruth } from '../experiments/simulator/truth.ts';
import type { Event } from '../models/contracts/event.ts';
import { createRandom } from '../models/random.ts';
import { exploreSlate, slotPropensities } from '../models/slate/explore.ts';

const size = 10;
const tastes = 12;
const catalog = Array.from({ length: 240 }, (_, index) => `i${String(index).padStart(3, '0')}`);
const settings = { slots: 1, poolDepth: 100, rankOffset: 5, challengerDepth: 20, floor: 0.02 };
const reward = { weights: { purchase: 1 }, attributionMs: 60_000, capPerUnit: 1 };
/** Each taste has twenty items; the first item of the history tells it. */
const tasteOf = (persona: Pick<Persona, 'history'>) => Number(persona.history[0]?.slice(1)) % tastes;
const itemsOf = (taste: number) => catalog.filter((_, index) => index % tastes === taste);

const customers: Customer[] = Array.from({ length: 300 }, (_, number) => {
  const random = createRandom(number + 1);
  const own = itemsOf(number % tastes);
  const wants = [...Array.from({ length: 5 }, () => own[random.below(own.length)] as string), catalog[random.below(20)] as string];
  return { customerId: `c${number}`, history: [own[0] as string], wants: [...new Set(wants)].map((itemId) => ({ itemId, repeat: false })) };
});

type Policy = (persona: Persona) => string[];
/** The same for all. */
const champion: Policy = () => catalog.slice(0, 100);
/** What the visitor's taste is made of, then the rest. */
const personal: Policy = (persona) => [...new Set([...itemsOf(tasteOf(persona)).slice(5), ...catalog])];
/** What no visitor of this taste wants. */
const wrong: Policy = (persona) => [...new Set([...itemsOf((tasteOf(persona) + 5) % tastes).slice(5), ...catalog])];
/** The champion's slate but for its last item. */
const nearlyTheSame: Policy = () => [...catalog.slice(0, 9), ...catalog.slice(30, 100)];

function simulate(candidate: Policy, slates: number, seed: number) {
  const random = createRandom(seed);
  const scope = { allowed: () => true, allowedIds: catalog };
  const shown: (Omit<LoggedSlate, 'rewards' | 'engaged'> & { requestId: string; atMs: number })[] = [];
  const events: Event[] = [];
  const truth = { candidate: 0, champion: 0 };
  for (const [number, persona] of makePersonas({ customers, count: slates, seed, prefix: `p${seed}` }).entries()) {
    const [mine, live] = [candidate(persona), champion(persona)];
    truth.candidate += trueValue({ persona, slate: mine.slice(0, size), truth: defaultTruth }) / slates;
    truth.champion += trueValue({ persona, slate: live.slice(0, size), truth: defaultTruth }) / slates;
    const requestId = `r${seed}-${number}`;
    const base = live.slice(0, size);
    const { items, exploration } = exploreSlate({
      baseItems: base,
      slateSize: size,
      nextItems: live.slice(size),
      challengerRankings: [mine.slice(0, 20)],
      scope,
      excluded: new Set(),
      settings,
      seed: random.below(2 ** 31),
      drawId: requestId,
    });
    if (exploration === null) throw new Error('nothing was explored');
    const slots = slotPropensities({ exploration, size });
    const supported = new Set([...base, ...exploration.poolItems]);
    const atMs = 1_000_000 + number * 1_000;
    shown.push({
      requestId,
      atMs,
      unit: `u:${persona.userId}`,
      items,
      base,
      candidate: mine.slice(0, size),
      champion: base,
      exploredSlots: exploration.slots,
      pool: exploration.poolItems,
      prefix: slots.prefix,
      propensity: (itemId, slot) => (supported.has(itemId) ? slots.marginal(itemId, slot) : 0),
    });
    events.push(...respond({ persona, slate: items, requestId, surface: 'home', atMs, truth: defaultTruth, random }));
  }
  const { bySlate } = attributeReward({ slates: shown.map((one) => ({ ...one, items: [...one.items] })), events, reward });
  const clicks = new Set(events.filter(({ kind }) => kind === 'click').map(({ requestId, itemId }) => `${requestId} ${itemId}`));
  const log = shown.map(
    (one): LoggedSlate => ({
      ...one,
      rewards: bySlate.get(one.requestId) ?? [],
      engaged: one.items.map((itemId) => clicks.has(`${one.requestId} ${itemId}`)),
    }),
  );
  const estimate = estimateCounterfactual({ log, voidedBy: {}, size, maxReward: reward.capPerUnit, limits: { ...limits, minEffectiveSampleSize: 100 }, seed });
  return { truth, estimate };
}

it.each([
  ['better', ['better'], personal],
  ['worse', ['worse'], wrong],
  // In truth a little worse: a log may tell that, or not.
  ['nearly the same', ['not-enough-evidence', 'worse'], nearlyTheSame],
] as const)('what shoppers would do with a candidate that is %s is foretold from the log of another', (_, verdicts, candidate) => {
  const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 100_000;
  const { truth, estimate } = simulate(candidate, 6_000, seed);
  const lift = truth.candidate - truth.champion;
  console.log(
    `true value ${truth.candidate.toFixed(4)}, SNIPS ${estimate.snips.value.toFixed(4)}; true lift ${lift.toFixed(4)}, in [${estimate.lift.low.toFixed(4)}, ${estimate.lift.high.toFixed(4)}]; ${estimate.verdict}`,
  );
  expect(estimate.support).toBeGreaterThan(0.99);
  // Twice as wide as the interval of 95 %, which a seed in twenty leaves: one in ten thousand does.
  expect(Math.abs(estimate.lift.value - lift)).toBeLessThan(estimate.lift.high - estimate.lift.low);
  expect(Math.abs(estimate.snips.value - truth.candidate)).toBeLessThan(0.3 * truth.candidate + 0.04);
  expect(verdicts).toContain(estimate.verdict);
});
