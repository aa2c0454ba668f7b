import type { Event } from '../contracts/event.ts';
import type { Feature, FeatureCondition, FeatureEntity, FeatureField, FeatureValue, FeatureView } from '../contracts/feature.ts';

/** An event and when it was known, epoch milliseconds; where that is not recorded, it was known when it happened. */
export type KnownEvent = Omit<Event, 'schemaVersion' | 'surface' | 'sessionId'> & { sessionId?: string | undefined; receivedAtMs?: number | undefined };

/** Ratings are summed in whole millionths: integers sum the same in any order. */
const ratingScale = 1e6;

/** The id by which a view groups an event. */
export function entityOf(event: KnownEvent, entity: FeatureEntity): string | undefined {
  return entity === 'user' ? event.userId : entity === 'item' ? event.itemId : event.sessionId;
}

/**
 * The features of one entity as they could be known strictly before `asOfMs`, in the order of the view; undefined where none of its source's
 * events was known then, so that a stranger is never taken for somebody with zeros. `events` are the entity's, in any order, each once.
 * The same as `activities/features` computes in DuckDB, to the last bit; a property test holds them together.
 */
export function evaluateView({ view, events, asOfMs }: { view: FeatureView; events: Iterable<KnownEvent>; asOfMs: number }): FeatureValue[] | undefined {
  const { kinds, where } = view.source;
  const known = [...events].filter(
    (event) => event.atMs < asOfMs && (event.receivedAtMs ?? event.atMs) < asOfMs && kinds.includes(event.kind) && meets(event, where),
  );
  return known.length === 0 ? undefined : view.features.map((feature) => featureOf(feature, { known, asOfMs }));
}

function featureOf({ expression, windowMs }: Feature, { known, asOfMs }: { known: readonly KnownEvent[]; asOfMs: number }): FeatureValue {
  const within = windowMs === 'all' ? known : known.filter((event) => event.atMs >= asOfMs - windowMs);
  const met = within.filter((event) => meets(event, expression.where));
  switch (expression.aggregate) {
    case 'count':
      return met.length;
    case 'share':
      return within.length === 0 ? null : met.length / within.length;
    case 'distinct':
      return new Set(met.map((event) => read(event, expression.of)).filter((value) => value !== undefined)).size;
    case 'time-since-last':
      return met.length === 0 ? null : asOfMs - met.reduce((latest, event) => Math.max(latest, event.atMs), 0);
    case 'last': {
      const having = met.filter((event) => read(event, expression.of) !== undefined);
      const latest = having.reduce<KnownEvent | undefined>((best, event) => (best === undefined || isLater(event, best) ? event : best), undefined);
      return latest === undefined ? null : (read(latest, expression.of) ?? null);
    }
    case 'sum':
    case 'mean': {
      const values = met.map((event) => read(event, expression.of)).filter((value) => typeof value === 'number');
      const scale = expression.of === 'rating' ? ratingScale : 1;
      // As wide as DuckDB's sums, so that even what no number holds is rounded the same.
      const total = Number(values.reduce((sum, value) => sum + BigInt(Math.round(value * scale)), 0n));
      if (expression.aggregate === 'sum') return total / scale;
      return values.length === 0 ? null : total / values.length / scale;
    }
  }
}

/** The later by time, then by event id in the order of its UTF-8 bytes, which is DuckDB's. */
function isLater(a: KnownEvent, b: KnownEvent): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && Buffer.compare(Buffer.from(a.eventId), Buffer.from(b.eventId)) > 0);
}

function meets(event: KnownEvent, where: readonly FeatureCondition[] | undefined): boolean {
  return (where ?? []).every((condition) => {
    const value = read(event, condition.field);
    if (value === undefined) return false;
    if ('in' in condition) return condition.in.includes(String(value));
    return Number(value) >= (condition.min ?? Number.NEGATIVE_INFINITY) && Number(value) <= (condition.max ?? Number.POSITIVE_INFINITY);
  });
}

function read(event: KnownEvent, field: FeatureField): string | number | undefined {
  if (field !== 'spendMinor') return event[field];
  return event.unitPriceMinor === undefined ? undefined : event.unitPriceMinor * (event.quantity ?? 1);
}
