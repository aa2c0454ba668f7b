import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConsentWord, createConsents } from '../../models/consent.ts';
import { type ConsentPurpose, consentPurposes } from '../../models/contracts/change-event.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { putDocument } from '../../stores/blobs.ts';
import { forbiddenSql, openConsents, readConsents } from './consent-rows.ts';
import { text, withDuck } from './duckdb.ts';
import { ingestLog } from './ingest-log.ts';
import { type Bench, parquetRows, testCharter, withBench } from './testing.ts';

const startMs = Date.UTC(2026, 2, 2, 10);
let count = 0;
const event = (own: Record<string, unknown>) => ({
  schemaVersion: 2,
  eventId: `e${count++}`,
  kind: 'view',
  surface: 'home',
  sessionId: 's',
  itemId: 'i',
  atMs: startMs,
  ...own,
});
const consent = (who: Record<string, string>, purposes: Partial<Record<ConsentPurpose, boolean>>, atMs = startMs) => ({
  kind: 'consent',
  eventId: `c${count++}`,
  surface: 'home',
  atMs,
  ...who,
  purposes,
});

async function ingest(
  bench: Bench,
  events: readonly unknown[],
  previous: Parameters<typeof ingestLog>[0]['previous'] = { slices: [] },
  charter: Partial<CharterInput> = {},
) {
  const { manifest } = await ingestLog({
    surface: 'home',
    charter: testCharter({ data: { recordRules: { 'unknown-item': 'off' } }, ...charter }),
    sourceName: 'log',
    events: (async function* () {
      yield* events;
    })(),
    previous,
    catalog: await putDocument(bench.blobs, []),
    blobs: bench.blobs,
    workDir: join(bench.folder, 'work'),
    nowMs: startMs + 86_400_000,
  });
  return manifest;
}
const usersIn = async (bench: Bench, manifest: Awaited<ReturnType<typeof ingest>>) =>
  (await Promise.all(manifest.slices.map(({ digest }) => parquetRows<{ user_id: string | null }>({ blobs: bench.blobs, digest }))))
    .flat()
    .map((row) => row.user_id);

describe('what people allow', () => {
  it('is the same in SQL and in TypeScript, in whatever order words came', async () => {
    const id = fc.constantFrom('a', 'b', 'c');
    const word = fc.tuple(
      fc.tuple(fc.constantFrom('u', 'd', 's'), id).map(([kind, name]) => `${kind}:${name}`),
      fc.constantFrom(...consentPurposes),
      fc.boolean(),
      fc.integer({ min: 1, max: 4 }),
    );
    const who = fc.record({ userId: fc.option(id, { nil: undefined }), deviceId: fc.option(id, { nil: undefined }), sessionId: id });
    await fc.assert(
      fc.asyncProperty(
        fc.array(word, { maxLength: 8 }),
        fc.array(who, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('allow', 'deny'),
        async (words, people, whenUnknown) => {
          const charter = { consent: { whenUnknown: whenUnknown as 'allow' | 'deny' } };
          const consents = createConsents({ charter: () => charter, nowMs: () => 0 });
          for (const one of words) consents.note(one as ConsentWord);
          await withDuck({ workDir: undefined }, async (duck) => {
            const body = (purpose: string, allowed: boolean) => JSON.stringify({ purposes: { [purpose]: allowed } });
            const rows = words.map(([subject, purpose, allowed, atMs]) => `(${text(subject)}, 'consent', ${atMs}, ${text(body(purpose, allowed))})`);
            await duck.run('CREATE TABLE fresh (subject VARCHAR, kind VARCHAR, at_ms BIGINT, body VARCHAR)');
            if (rows.length > 0) await duck.run(`INSERT INTO fresh VALUES ${rows.join(', ')}`);
            await openConsents({ duck, paths: [], fresh: 'fresh' });
            const cell = (value: string | undefined) => (value === undefined ? 'NULL::VARCHAR' : text(value));
            await duck.run(
              `CREATE TABLE people AS SELECT * FROM (VALUES ${people.map((one, nth) => `(${nth}, ${cell(one.userId)}, ${cell(one.deviceId)}, ${cell(one.sessionId)})`).join(', ')}) t(nth, user_id, device_id, session_id)`,
            );
            for (const purpose of consentPurposes) {
              const [forbidden] = await duck.columns(`SELECT ${forbiddenSql({ purpose, charter })} FROM people ORDER BY nth`);
              expect(forbidden).toEqual(people.map((one) => !consents.allows(one, purpose)));
            }
          });
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);

  it('withholds, from the word on, what nobody may keep, and keeps it nowhere', () =>
    withBench(async (bench) => {
      const manifest = await ingest(bench, [
        consent({ userId: 'no' }, { personalization: false, training: false }, startMs + 10),
        consent({ userId: 'half' }, { personalization: false }),
        event({ userId: 'no' }),
        event({ userId: 'no', atMs: startMs + 10 }),
        event({ userId: 'no', atMs: startMs + 20, itemId: undefined }),
        event({ userId: 'half', atMs: startMs + 20 }),
      ]);
      expect(manifest.counts).toEqual({ input: 6, accepted: 4, quarantined: 0, duplicates: 0, withheld: 2 });
      expect(manifest.quarantine).toBeNull();
      expect(await usersIn(bench, manifest)).toEqual(['no', 'half']);
      // The word is known in the next batch too, and can be taken back.
      const again = await ingest(bench, [event({ userId: 'no', atMs: startMs + 30 })], manifest);
      expect(again.counts).toMatchObject({ accepted: 0, withheld: 1 });
      const back = await ingest(bench, [consent({ userId: 'no' }, { training: true }, startMs + 40), event({ userId: 'no', atMs: startMs + 50 })], {
        ...manifest,
        ...again,
        changes: manifest.changes,
      });
      expect(back.counts).toMatchObject({ accepted: 2 });
      expect(await readConsents({ paths: await Promise.all((back.changes ?? []).map(({ digest }) => bench.blobs.localPath(digest))) })).toEqual([
        ['u:half', 'personalization', false, startMs],
        ['u:no', 'personalization', false, startMs + 10],
        ['u:no', 'training', true, startMs + 40],
      ]);
    }));

  it('said again under the id of another word is a conflict, and put aside with what it says; the first holds', () =>
    withBench(async (bench) => {
      const first = { ...consent({ userId: 'u' }, { training: false }), eventId: 'w1' };
      const other = { ...first, purposes: { training: true } };
      const old = await ingest(bench, [first]);
      const manifest = await ingest(bench, [first, other, { ...other, userId: 'v' }, { ...first, receivedAtMs: startMs + 99 }, event({ userId: 'w' })], old);
      expect(manifest.counts).toEqual({ input: 5, accepted: 1, quarantined: 2, duplicates: 2 });
      expect(manifest.quarantineByReason).toEqual({ 'event-id-conflict': 2 });
      const rows = await parquetRows<{ raw: string; user_id: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
      expect(rows.map(({ user_id }) => user_id).sort()).toEqual(['u', 'v']);
      expect(JSON.parse(rows[0]?.raw ?? '')).toMatchObject({ eventId: 'w1', kind: 'consent', body: expect.stringContaining('"training":true') });
      const changes = [...(old.changes ?? []), ...(manifest.changes ?? [])];
      expect(await readConsents({ paths: await Promise.all(changes.map(({ digest }) => bench.blobs.localPath(digest))) })).toEqual([
        ['u:u', 'training', false, startMs],
      ]);
      // In one batch, and with nothing else in it, too.
      const alone = await ingest(bench, [other, first]);
      expect(alone.counts).toEqual({ input: 2, accepted: 1, quarantined: 1, duplicates: 0 });
    }));

  it('must be said first where the charter takes silence for no', () =>
    withBench(async (bench) => {
      const events = [event({ userId: 'yes' }), event({ userId: 'silent' }), event({ sessionId: 't' }), consent({ userId: 'yes' }, { training: true })];
      const manifest = await ingest(bench, events, { slices: [] }, { consent: { whenUnknown: 'deny' } });
      expect(manifest.counts).toMatchObject({ accepted: 2, withheld: 2 });
      expect(await usersIn(bench, manifest)).toEqual(['yes']);
    }));
});
