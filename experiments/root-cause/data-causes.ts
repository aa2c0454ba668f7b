import { attributeChange } from '../attribution/attribute-change.ts';
import type { Dimension } from '../attribution/leaves.ts';
import type { CauseName, EventRow, TrafficRow } from '../../models/contracts/root-cause.ts';
import { type Comparison, compare } from './expectation.ts';
import {
  certain,
  type Examine,
  type Finding,
  found,
  hasFallen,
  hasRisen,
  type Look,
  none,
  percent,
  sign,
  slates,
  unknown,
  unusual,
  type Verdict,
  type Where,
} from './look.ts';

const seen = (row: TrafficRow): number => row.seen;
const accepted = (row: EventRow): number => row.accepted;
const came = (row: EventRow): number => row.accepted + row.quarantined;

/** Sources and kinds that there are, each once. */
function streams({ facts: { events } }: Look): { source: string; kind: string }[] {
  return [...new Map(events.map(({ source, kind }) => [`${source} ${kind}`, { source, kind }])).values()];
}
const nameOf = ({ source, kind }: { source: string; kind: string }): string => `${kind} events of ${source}`;

/** Slates are there, and what comes of them is not: everywhere, which is `volume`, or in one place, which is `tracking`. */
const lostEvents: Examine = (look) => {
  const whole = look.adjustedRate(seen, slates);
  if (whole === undefined)
    return {
      findings: [],
      ruledOut: [],
      notLookedAt: (['volume', 'tracking'] as const).map((cause) => ({ cause, why: 'there are too few comparable stretches with slates' })),
    };
  const usual = look.usualOf(seen, slates);
  const places = suspectsOf(look, usual);
  const findings: Finding[] = [];
  for (const { where, lost } of places.filter((one) => Object.keys(one.where).length > 0 && one.lost >= 0.25)) {
    const rows = (row: TrafficRow) => Object.entries(where).every(([name, value]) => row[name as 'country' | 'device'] === value);
    const own = look.adjustedRate(seen, slates, rows);
    if (!hasFallen(own, 0.75)) continue;
    const rest = look.adjustedRate(seen, slates, (row) => !rows(row));
    if (rest !== undefined && rest.ratio < 0.8 && own.ratio > rest.ratio * 0.75) continue;
    const evidence = [sign('for', `${percent(lost)} of the slates in ${describe(where)} that should have been seen were not`, own)];
    if (rest !== undefined) evidence.push(sign('for', `elsewhere ${percent(rest.ratio)} of what is expected was seen`, rest));
    const shown = compare({ units: look.units, numerator: look.byUnit(look.traffic.filter(rows), slates), denominator: look.byUnit(look.traffic, slates) });
    if (shown !== undefined)
      evidence.push(
        sign(shown.ratio < 0.6 ? 'against' : 'for', `its share of all slates is ${percent(shown.value)}, ${percent(shown.expected)} expected`, shown),
      );
    findings.push({ cause: 'tracking', where, deviations: -own.deviations, evidence, rows });
  }
  const elsewhere = look.adjustedRate(seen, slates, (row) => !findings.some(({ rows }) => rows?.(row)));
  const engaged = look.adjustedRate(
    (row) => row.engaged,
    slates,
    (row) => !findings.some(({ rows }) => rows?.(row)),
  );
  const isEverywhere = hasFallen(elsewhere, 0.85) && engaged !== undefined && engaged.ratio < 0.92;
  if (isEverywhere)
    findings.push({
      cause: 'volume',
      where: {},
      deviations: -elsewhere.deviations,
      evidence: [
        sign('for', `of slates, ${percent(elsewhere.ratio)} of what is expected came back as impressions`, elsewhere),
        sign('for', `and ${percent(engaged.ratio)} as other events: nobody's behaviour loses impressions`, engaged),
      ],
      rows: () => true,
    });
  const named = new Set(findings.map(({ cause }) => cause));
  return {
    findings,
    ruledOut: (['volume', 'tracking'] as const).flatMap((cause) =>
      named.has(cause) ? [] : [{ cause, why: `slates are seen as often as always (${percent(whole.ratio)})` }],
    ),
    notLookedAt: [],
  };
};

/** Which clients and countries the impressions are missing in. */
function suspectsOf(look: Look, usual: (row: TrafficRow) => number): { where: Where; lost: number }[] {
  const rows = look.trafficNow;
  if (rows.length === 0) return [];
  const table = {
    dimensions: (['country', 'device'] as const).map((name): Dimension => {
      const values = [...new Set(rows.map((row) => row[name]))];
      return { name, values, codes: Int32Array.from(rows, (row) => values.indexOf(row[name])) };
    }),
    measure: { kind: 'sum', actual: Float64Array.from(rows, seen), predicted: Float64Array.from(rows, (row) => row.slates * usual(row)) } as const,
  };
  return attributeChange(table).suspects.map(({ where, actual, predicted }) => ({
    where: Object.fromEntries(Object.entries(where).map(([name, value]) => [name, value ?? ''])),
    lost: 1 - (actual ?? 0) / Math.max(1, predicted ?? 1),
  }));
}

const describe = (where: Where): string => Object.values(where).join(', ');

/** One source or kind comes no more, while others do. */
const missingSource: Examine = (look) => {
  const all = streams(look);
  const volume = look.byUnit(look.traffic, slates);
  const hasSlates = volume.some((value) => value > 0);
  const judged = all.flatMap((own) => {
    const numerator = look.byUnit(
      look.facts.events.filter((row) => row.source === own.source && row.kind === own.kind),
      came,
    );
    // Where there are slates, what comes of them goes with their number.
    const one = compare({ units: look.units, numerator, denominator: hasSlates ? volume : undefined });
    return one === undefined ? [] : [{ own, one }];
  });
  if (judged.length === 0) return unknown('missing-source', 'there are too few comparable stretches with events');
  const gone = judged.filter(({ one }) => one.deviations <= -unusual && one.ratio <= 0.15);
  const log = judged.filter(({ own }) => own.source === 'log');
  // All kinds of the log at once are no kind.
  const isAll = log.length > 1 && log.every((one) => gone.includes(one));
  const own = isAll ? gone.filter((one) => !log.includes(one)) : gone;
  if (own.length === 0) return none('missing-source', 'events of each source and kind still come');
  const rest = judged.filter((one) => !gone.includes(one) && one.one.ratio > 0.5);
  return found(
    ...own.map(
      ({ own: where, one }): Finding => ({
        cause: 'missing-source',
        where,
        deviations: Math.max(-one.deviations, certain * (1 - one.ratio) * (rest.length > 0 ? 1 : 0.5)),
        evidence: [
          sign('for', `${percent(one.ratio)} of the ${nameOf(where)} that are expected came`, one),
          ...(rest.length > 0 ? [sign('for', `${rest.map((other) => nameOf(other.own)).join(', ')} come`)] : []),
        ],
      }),
    ),
  );
};

/** A share of a source's events, where it has risen. */
function shareOfEvents(
  look: Look,
  { cause, parts, least }: { cause: CauseName; parts: { what: string; of: (row: EventRow) => number; over: (row: EventRow) => number }[]; least: number },
): Verdict {
  const findings: Finding[] = [];
  let isKnown = false;
  for (const { what, of, over } of parts) {
    const own = streams(look).flatMap((stream) => {
      const one = look.eventRate(of, over, (row) => row.source === stream.source && row.kind === stream.kind);
      return one === undefined ? [] : [{ stream, one }];
    });
    isKnown ||= own.length > 0;
    const risen = own.filter(({ one }) => hasRisen(one, { factor: 1.25, least }));
    const bySource = Map.groupBy(risen, ({ stream }) => stream.source);
    for (const [source, some] of bySource) {
      const ofSource = own.filter(({ stream }) => stream.source === source);
      const isWhole = some.length > ofSource.length / 2 && ofSource.length > 1;
      const worst = some.toSorted((a, b) => b.one.deviations - a.one.deviations)[0] as (typeof some)[number];
      findings.push({
        cause,
        where: isWhole || some.length > 1 ? { source } : { source, kind: worst.stream.kind },
        deviations: worst.one.deviations,
        evidence: some.map(({ stream, one }) => sign('for', `${percent(one.value)} of the ${nameOf(stream)} ${what}, ${percent(one.expected)} expected`, one)),
      });
    }
  }
  if (findings.length > 0) return { findings: strongest(findings), ruledOut: [], notLookedAt: [] };
  return isKnown
    ? none(cause, `as many events as always ${parts.map(({ what }) => what).join(', or ')}`)
    : unknown(cause, 'there are too few comparable stretches with events');
}

/** One finding a source: several signs of one thing are one. */
function strongest(findings: readonly Finding[]): Finding[] {
  return [...Map.groupBy(findings, ({ where }) => where.source ?? '').values()].map((some) => {
    const [first, ...others] = some.toSorted((a, b) => b.deviations - a.deviations) as [Finding, ...Finding[]];
    return { ...first, evidence: [...first.evidence, ...others.flatMap(({ evidence }) => evidence)] };
  });
}

const schema: Examine = (look) =>
  shareOfEvents(look, {
    cause: 'schema',
    parts: [
      { what: 'are put aside', of: (row) => row.quarantined, over: came },
      { what: 'have no user', of: (row) => row.withoutUser, over: accepted },
      { what: 'have no request', of: (row) => row.withoutRequest, over: accepted },
      { what: 'have no price', of: (row) => row.withoutPrice, over: accepted },
    ],
    least: 0.08,
  });

const duplicates: Examine = (look) =>
  shareOfEvents(look, {
    cause: 'duplicates',
    parts: [{ what: 'are repetitions', of: (row) => row.duplicates, over: (row) => came(row) + row.duplicates }],
    least: 0.04,
  });

const lateEvents: Examine = (look) =>
  shareOfEvents(look, { cause: 'late-events', parts: [{ what: 'came more than an hour late', of: (row) => row.late, over: accepted }], least: 0.1 });

const catalog: Examine = ({ facts, units }) => {
  const series = (value: (row: (typeof facts.catalog)[number]) => number) => {
    const known = units.map((_, unit) => facts.catalog.find((row) => row.unit === unit));
    return known.every((row) => row === undefined) ? undefined : known.map((row) => (row === undefined ? 0 : value(row)));
  };
  const counts = [
    { what: 'items there are', of: series((row) => row.items) },
    { what: 'items are in stock', of: series((row) => row.inStock) },
    { what: 'items have a category', of: series((row) => row.described) },
    { what: 'items have a price', of: series((row) => row.priced) },
  ].flatMap(({ what, of }) => {
    const one = of === undefined ? undefined : compare({ units, numerator: of, denominator: of.map((value) => (value > 0 ? 1 : 0)) });
    return one === undefined ? [] : [{ what, one }];
  });
  if (counts.length === 0) return unknown('catalog', 'there are too few catalogs to compare with');
  const fallen = counts.filter(({ one }) => hasFallen(one, 0.85)) as { what: string; one: Comparison }[];
  if (fallen.length === 0) return none('catalog', 'as many items as always are there, in stock, and described');
  return found({
    cause: 'catalog',
    where: {},
    deviations: Math.max(...fallen.map(({ one }) => -one.deviations)),
    evidence: fallen.map(({ what, one }) => sign('for', `${Math.round(one.value)} ${what}, ${Math.round(one.expected)} expected`, one)),
  });
};

/** A tenth more or less in half of all prices is no day like any other. */
const pricesMoved = Math.log(1.15);

const price: Examine = ({ facts, units }) => {
  const ratios = facts.catalog.filter(({ priceRatio }) => priceRatio !== null);
  const now = ratios.filter(({ unit }) => units[unit]?.now === true).map(({ priceRatio }) => priceRatio as number);
  const before = ratios.filter(({ unit }) => units[unit]?.now === false).map(({ priceRatio }) => Math.log(priceRatio as number));
  if (now.length === 0) return unknown('price', 'the catalog has no prices');
  const worst = now.toSorted((a, b) => Math.abs(Math.log(b)) - Math.abs(Math.log(a)))[0] as number;
  const usual = Math.max(0.01, ...before.map(Math.abs));
  if (Math.abs(Math.log(worst)) < Math.max(pricesMoved, 1.5 * usual)) return none('price', 'half of all prices or more have not changed');
  return found({
    cause: 'price',
    where: {},
    deviations: Math.min(certain, unusual + Math.abs(Math.log(worst)) / usual / 4),
    evidence: [sign('for', `the median price is ${worst.toPrecision(3)} times what it was`)],
  });
};

export const dataCauses: readonly Examine[] = [lostEvents, missingSource, schema, duplicates, lateEvents, catalog, price];
