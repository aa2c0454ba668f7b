import type { EventRow, RootCauseFacts, TrafficRow } from '../../models/contracts/root-cause.ts';
import { dayMs, type EventRates, type Plan, type SlateRates, weekdayOf, type World } from './simulated-world.ts';

const kinds = ['impression', 'view', 'click', 'add-to-cart', 'purchase'] as const;

/** Draws what is planned for each unit of a world. */
export function drawFacts(world: World): RootCauseFacts {
  const { before, now, startMs, deployments, standings, model, draws } = world;
  const plans = [...before, now];
  const traffic: TrafficRow[] = [];
  const events: EventRow[] = [];
  for (const [unit, plan] of plans.entries()) {
    const own = trafficOf(world, { plan, unit });
    traffic.push(...own);
    events.push(...eventsOf(world, { plan, unit, traffic: own }));
  }
  const requests = traffic.filter(({ unit }) => unit === before.length).reduce((sum, { slates }) => sum + slates, 0) / standings.length;
  return {
    kind: 'root-cause-facts',
    surface: 'home',
    alert: null,
    signal: null,
    atMs: startMs + plans.length * dayMs,
    units: plans.map(({ promotion }, unit) => {
      const fromMs = startMs + unit * dayMs;
      return { fromMs, toMs: fromMs + dayMs, now: unit === before.length, weekday: weekdayOf(fromMs), promotion };
    }),
    traffic,
    events,
    catalog: plans.map(({ catalog }, unit) => ({ unit, ...catalog })),
    deployments,
    replicas: standings.map(({ failing, ...one }) => ({ ...one, requests: Math.round(requests), failed: draws.binomial(Math.round(requests), failing) })),
    model,
    missing: [],
  };
}

function trafficOf({ cells, replicas, draws }: World, { plan, unit }: { plan: Plan; unit: number }): TrafficRow[] {
  const whole = cells.reduce((sum, cell) => sum + cell.share * plan.mix(cell), 0);
  return cells.flatMap((cell) =>
    replicas.flatMap((replica) => {
      const rates: SlateRates = {
        artifact: '',
        generation: 0,
        rules: '',
        answered: 1,
        fallback: 0,
        fallbackWorth: 0.6,
        slow: 0,
        short: 0,
        known: cell.segment === 'new' ? 0.05 : 0.96,
        kept: 1,
        seen: cell.seen,
        engaged: cell.engaged,
        rewarded: cell.rewarded,
      };
      for (const change of plan.slates) change({ cell, replica }, rates);
      const asked = draws.poisson((plan.volume * cell.share * plan.mix(cell)) / whole / replicas.length);
      const slates = draws.binomial(asked, rates.answered);
      const fallen = draws.binomial(slates, rates.fallback);
      const row = (rung: TrafficRow['rung'], many: number, worth: number): TrafficRow[] => {
        if (many === 0) return [];
        const { artifact, generation, rules } = rates;
        const seen = draws.binomial(many, rates.seen * rates.kept);
        const rewarded = draws.binomial(many, rates.rewarded * rates.kept * worth);
        return [
          {
            unit,
            country: cell.country,
            device: cell.device,
            segment: cell.segment,
            rung,
            artifact: rung === 'model' ? artifact : null,
            generation,
            replica,
            rules,
            slates: many,
            short: draws.binomial(many, rates.short),
            slow: draws.binomial(many, rates.slow),
            known: draws.binomial(many, rates.known),
            seen,
            engaged: draws.binomial(many, rates.engaged * rates.kept * worth),
            rewarded,
            reward: rewarded,
          },
        ];
      };
      return [...row('model', slates - fallen, 1), ...row('popularity', fallen, rates.fallbackWorth)];
    }),
  );
}

/** Events come of what was seen; those of a file come by themselves. */
function eventsOf({ draws }: World, { plan, unit, traffic }: { plan: Plan; unit: number; traffic: readonly TrafficRow[] }): EventRow[] {
  const sum = (member: 'seen' | 'engaged' | 'rewarded') => traffic.reduce((total, row) => total + row[member], 0);
  const counts = {
    impression: 8 * sum('seen'),
    view: 3 * sum('engaged'),
    click: sum('engaged'),
    'add-to-cart': 2 * sum('rewarded'),
    purchase: sum('rewarded'),
  };
  const orders = { source: 'orders', kind: 'purchase', many: draws.poisson(plan.volume * 0.08 * draws.factor(0.06)) };
  return [...kinds.map((kind) => ({ source: 'log', kind: kind as string, many: draws.poisson(counts[kind]) })), orders].map(({ source, kind, many }) => {
    const rates = { kept: 1 } as EventRates;
    for (const change of plan.events) change({ source, kind }, rates);
    const came = draws.binomial(many, rates.kept);
    const quarantined = draws.binomial(came, rates.quarantined);
    const accepted = came - quarantined;
    const of = (share: number) => draws.binomial(accepted, share);
    const isSale = kind === 'purchase' || kind === 'add-to-cart';
    return {
      unit,
      source,
      kind,
      accepted,
      quarantined,
      duplicates: of(rates.duplicates),
      late: of(rates.late),
      unknownItems: of(rates.unknownItems),
      coldItems: of(rates.coldItems),
      withoutUser: of(rates.withoutUser),
      withoutRequest: source === 'log' ? of(rates.withoutRequest) : accepted,
      withoutPrice: isSale ? of(rates.withoutPrice) : 0,
    };
  });
}
