import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestJson } from './digest.ts';
import { anyEvent, isInteraction, jsonSchemaOf, parseEvent, parseInteraction, parseLogged, publishedSchemas } from './event-schemas.ts';

const bytes = readFileSync(new URL('./fixtures/v2/event-log.jsonl', import.meta.url));
const lines = bytes
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('recorded lines of the event log', () => {
  it('are as on the day they were recorded', () => {
    expect(createHash('sha256').update(bytes).digest('hex')).toBe('3e5adf2ee7e9c94f4e9b0c01f9603fc28b0d34692746339602f68b84f5e7a92e');
  });

  it('hold every version of every event, and stay readable to the last member', () => {
    expect(new Set(lines.map(({ kind, schemaVersion }) => `${kind} ${schemaVersion}`))).toEqual(
      new Set(publishedSchemas.map(({ name, version }) => `${name} ${version}`)),
    );
    for (const line of lines) expect(parseLogged(line)).toEqual(line);
  });

  it('are no interaction where they are a change, or were put aside', () => {
    const interactions = lines.filter((line) => parseInteraction(line) !== undefined);
    expect(interactions.length).toBe(17);
    expect(interactions.every((line) => !['catalog', 'profile', 'consent', 'login'].includes(line.kind as string) && line.quarantined === undefined)).toBe(
      true,
    );
  });
});

describe('published schemas', () => {
  /** What is published is never changed: another schema is another version. */
  const published: Record<string, string> = {
    'impression 1': '12257b7837a7',
    'impression 2': 'e061a9c4bcd2',
    'view 1': '0cb59dafcc1a',
    'view 2': 'c0fe8768c016',
    'click 1': '40530d1d10da',
    'click 2': '8cc1a3a0e34a',
    'skip 1': 'a9a52c46ef91',
    'skip 2': '949d63089bf4',
    'dwell 1': 'db3e7abbff3e',
    'dwell 2': '3a069a996646',
    'add-to-cart 1': '69bf24c903a6',
    'add-to-cart 2': '2cc5dba69545',
    'purchase 1': 'bbd97c02f946',
    'purchase 2': 'c3e17e3860d5',
    'return 1': '9098e9a6e6a6',
    'return 2': '6618d135084f',
    'rating 1': '4e4d25ccdd24',
    'rating 2': 'e4fa0ee1ab2c',
    'catalog 1': '64c515c07420',
    'profile 1': '796980efade9',
    'consent 1': '1107080928bf',
    'login 1': 'fc82f2c5e7b7',
  };

  it('are what they were', () => {
    expect(
      Object.fromEntries(publishedSchemas.map(({ name, version }) => [`${name} ${version}`, digestJson(jsonSchemaOf({ name, version })).slice(7, 19)])),
    ).toEqual(published);
  });

  it('are of no name or version that does not exist', () => {
    expect(jsonSchemaOf({ name: 'click', version: 3 })).toBeUndefined();
    expect(jsonSchemaOf({ name: '__proto__', version: 1 })).toBeUndefined();
  });
});

describe('an event that comes in', () => {
  const click = { schemaVersion: 2, eventId: 'e', kind: 'click', surface: 'home', sessionId: 's', itemId: 'i', atMs: 1 };
  const why = (input: unknown): string[] => {
    const parsed = parseEvent(input);
    return parsed.success ? [] : parsed.issues.map(({ path, message }) => `/${path.join('/')} ${message}`);
  };

  it('is of version 1 where it names none', () => {
    const { schemaVersion: _, ...unversioned } = click;
    expect(parseEvent(unversioned)).toEqual({ success: true, event: { ...click, schemaVersion: 1 } });
    expect(why({ ...unversioned, deviceId: 'd' })).toEqual(['/ Unrecognized key: "deviceId"']);
  });

  it.each([
    [null, /expected object/],
    [[], /expected object|\/kind/],
    ['click', /expected object/],
    [{ ...click, kind: 'buy' }, /^\/kind /],
    [{ ...click, kind: ['click'] }, /^\/kind /],
    [{ ...click, kind: '__proto__' }, /^\/kind /],
    [{ ...click, schemaVersion: 3 }, /^\/schemaVersion click has the versions 1 and 2/],
    [{ ...click, schemaVersion: '2' }, /^\/schemaVersion /],
    [{ ...click, kind: 'dwell' }, /^\/dwellMs /],
    [{ ...click, kind: 'rating' }, /^\/rating /],
    [{ ...click, rating: 3 }, /Unrecognized key: "rating"/],
    [{ ...click, receivedAtMs: 1 }, /Unrecognized key: "receivedAtMs"/],
    [{ ...click, quarantined: 'x' }, /Unrecognized key: "quarantined"/],
    [{ kind: 'catalog', eventId: 'c', surface: 'home', atMs: 1, itemId: 'i' }, /says nothing of the item/],
    [{ kind: 'catalog', eventId: 'c', surface: 'home', atMs: 1, itemId: 'i', title: 'a\nb' }, /^\/title one line/],
    [{ kind: 'profile', eventId: 'c', surface: 'home', atMs: 1, userId: 'u', attributes: {} }, /1 to 50 attributes/],
    [{ kind: 'consent', eventId: 'c', surface: 'home', atMs: 1, purposes: { training: false } }, /name whose consent/],
    [{ kind: 'consent', eventId: 'c', surface: 'home', atMs: 1, userId: 'u', sessionId: 's', purposes: { training: false } }, /name whose consent/],
    [{ kind: 'consent', eventId: 'c', surface: 'home', atMs: 1, userId: 'u', purposes: { marketing: false } }, /purposes/],
    [{ kind: 'login', eventId: 'c', surface: 'home', atMs: 1, userId: 'u' }, /^\/sessionId /],
  ])('%j is refused, and why', (input, message) => {
    expect(why(input).join('; ')).toMatch(message);
  });

  it('is taken exactly where the one schema of all events takes it', () => {
    const anyValue = fc.oneof(fc.constantFrom(1, 2, 3, '', 'x', null, true, 'click', 'dwell', 'consent', 'home'), fc.constantFrom({ training: true }, {}, []));
    const mutated = fc
      .record({
        line: fc.constantFrom(...lines),
        drop: fc.constantFrom(...new Set(lines.flatMap((line) => Object.keys(line)))),
        put: fc.option(anyValue),
        at: fc.constantFrom('kind', 'schemaVersion', 'rating', 'deviceId', 'userId', 'atMs'),
      })
      .map(({ line: { receivedAtMs: _r, quarantined: _q, ...line }, drop, put, at }) => {
        const { [drop]: _, ...rest } = line;
        return put === null ? rest : { ...rest, [at]: put };
      });
    fc.assert(
      fc.property(mutated, (input) => {
        expect(parseEvent(input).success).toBe(anyEvent.safeParse(input).success);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is an interaction or a change', () => {
    for (const line of lines) expect(isInteraction(parseLogged(line) as never)).toBe('sessionId' in line && line.kind !== 'login');
  });
});
