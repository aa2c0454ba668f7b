import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureValue, FeatureView } from '../../models/contracts/feature.ts';
import { entityOf, evaluateView, type KnownEvent } from '../../models/features/evaluate-view.ts';
import { type Duck, name, text, withDuck } from '../events/duckdb.ts';
import { featureColumn } from './compile-view.ts';
import { joinPointInTime } from './join-point-in-time.ts';
import { openEvents } from './open-events.ts';
import { eventsRelation, knownEvents, moment, views } from './testing.ts';
import { valuesAsOfSql } from './values-as-of.ts';

const withEvents = (events: readonly KnownEvent[], use: (duck: Duck) => Promise<void>) =>
  withDuck({ workDir: undefined }, async (duck) => {
    await openEvents({ duck, relation: await eventsRelation(duck, events), receivedColumn: 'received_ms' });
    await use(duck);
  });

/** The features of a row, integers and numbers alike as numbers. */
const list = (view: FeatureView) =>
  view.features
    .map((feature) => (feature.type === 'text' ? name(featureColumn(view, feature.name)) : `${name(featureColumn(view, feature.name))}::DOUBLE`))
    .map((sql, index) => `${sql} AS v${index}`)
    .join(', ');
const valuesOf = (view: FeatureView, row: Record<string, unknown>) => view.features.map((_, index) => row[`v${index}`] as FeatureValue);
const missing = (view: FeatureView) => view.features.map(() => null);

const entities = { user: ['u1', 'u2', "o'neil", 'é', 'stranger'], item: ['i1', 'i2', 'i3', 'stranger'], session: ['s1', 's2', 'stranger'] };

describe('one definition, three engines', () => {
  it('the values as of a moment are those of TypeScript, to the last bit', async () => {
    await fc.assert(
      fc.asyncProperty(views, knownEvents, moment, (view, events, asOfMs) =>
        withEvents(events, async (duck) => {
          const rows = await duck.rows<{ entity: string }>(`SELECT entity, ${list(view)} FROM (${valuesAsOfSql({ view, asOfMs })})`);
          const inSql = new Map(rows.map((row) => [row.entity, valuesOf(view, row)]));
          for (const entity of entities[view.entity]) {
            const own = events.filter((event) => entityOf(event, view.entity) === entity);
            expect(inSql.get(entity)).toEqual(evaluateView({ view, events: own, asOfMs }));
          }
        }),
      ),
      { numRuns: 60 },
    );
  });

  it('the point-in-time join gives each label what TypeScript gives as of its moment, in the order of the labels', async () => {
    await fc.assert(
      fc.asyncProperty(views, knownEvents, fc.array(fc.tuple(fc.nat(4), moment), { minLength: 1, maxLength: 12 }), (view, events, asked) =>
        withEvents(events, async (duck) => {
          const labels = asked.map(([who, asOfMs], row) => ({ row, entity: entities[view.entity][who] ?? null, asOfMs }));
          await duck.run(
            `CREATE TABLE labels AS SELECT * FROM (VALUES ${labels.map(({ row, entity, asOfMs }) => `(${row}, ${entity === null ? 'NULL' : text(entity)}, ${asOfMs})`)}) t(n, who, asked_at)`,
          );
          await joinPointInTime({ duck, view, labels: { relation: 'labels', entity: 'who', asOfMs: 'asked_at' }, into: 'joined' });
          const rows = await duck.rows<{ n: number }>(`SELECT n, ${list(view)} FROM joined`);
          expect(rows.map(({ n }) => n)).toEqual(labels.map(({ row }) => row));
          for (const { row, entity, asOfMs } of labels) {
            const own = events.filter((event) => entityOf(event, view.entity) === entity);
            expect(valuesOf(view, rows[row] ?? {})).toEqual(evaluateView({ view, events: own, asOfMs }) ?? missing(view));
          }
        }),
      ),
      { numRuns: 60 },
    );
  });
});
