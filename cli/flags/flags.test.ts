import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openState } from '../../activities/context.ts';
import { testCharter } from '../../activities/events/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { openFlagReader } from '../../stores/flags.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { flagsCommand } from './command.ts';

let root: string;
let nowMs = 0;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'und-cli-flags-'));
  nowMs = Date.parse('2026-11-28T12:00:00Z');
  const guardrails = {
    sources: [{ name: 'classifier', staleAfterMinutes: 60 }],
    thresholds: [{ kind: 'violence', atLeast: 0.8, below: 'adult' as const }],
  };
  await registerCharter(openState(root), testCharter({ guardrails }), nowMs);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function flags(...argv: string[]) {
  const command = flagsCommand({ env: readEnvironment({ UNDERSTUDY_STATE: root }), cwd: root, now: () => nowMs });
  command.exitOverride();
  for (const part of command.commands) part.exitOverride().configureOutput({ writeErr: () => undefined });
  return writtenBy(() => command.parseAsync([...argv, '--surface', 'home'], { from: 'user' }));
}
const owner = ['--by', 'kim', '--why', 'nightly run'];
const list = async (...argv: string[]) => JSON.parse(await flags('list', '--json', ...argv));
const put = (file: string) => flags('put', file, '--source', 'classifier', ...owner);
async function standing() {
  const reader = openFlagReader({ ...openState(root), surface: 'home' });
  await reader.look();
  return { generation: reader.generation(), book: reader.book() };
}

it('takes a classifier’s file in, CSV or JSON lines alike, and lists what is held back, by whom and why', async () => {
  await writeFile(join(root, 'scores.csv'), 'item_id,violence,hate,flags,expires_at\na,0.9,,,\n"b,1",0.1,0.2,spam|nsfw,2026-12-01T00:00:00Z\nc,,,,\n');
  expect(JSON.parse(await flags('put', 'scores.csv', '--source', 'classifier', ...owner, '--json'))).toEqual({
    ...{ surface: 'home', generation: 1, source: 'classifier', mode: 'replace', items: 3 },
  });
  const fromCsv = (await standing()).book.get('classifier');
  const [a, b, c] = [
    { itemId: 'a', scores: { violence: 0.9 } },
    { itemId: 'b,1', scores: { violence: 0.1, hate: 0.2 }, flags: ['spam', 'nsfw'], expiresAtMs: Date.parse('2026-12-01T00:00:00Z') },
    { itemId: 'c' },
  ];
  await writeFile(join(root, 'scores.jsonl'), [a, b, c].map((one) => JSON.stringify(one)).join('\n'));
  await put('scores.jsonl');
  const fromLines = (await standing()).book.get('classifier');
  const without = (marks: typeof fromCsv) => [...(marks ?? [])].map(([itemId, { change: _, ...mark }]) => [itemId, mark]);
  expect(without(fromLines)).toEqual(without(fromCsv));

  const { sources, marks } = await list();
  expect(sources).toEqual([{ source: 'classifier', required: true, items: 3, newestAsOfMs: nowMs, isStale: false }]);
  expect(marks).toMatchObject([
    { itemId: 'a', why: 'score violence', by: 'kim', because: 'nightly run' },
    { itemId: 'b,1', why: 'flag spam' },
  ]);
  nowMs += 3_600_000;
  expect((await list()).sources[0].isStale).toBe(true);
  expect(await flags('list')).toMatch(/a +classifier +score violence +open +kim[\s\S]*STALE: what it has not judged lately is not shown/);
});

it('flags an item by hand, until a time or until it is taken back', async () => {
  expect(await flags('list')).toContain('classifier');
  await flags('set', 'a', '--flag', 'recall', '--until', '2026-11-28T13:00:00Z', ...owner);
  await flags('set', 'a', '--flag', 'dispute', ...owner);
  expect((await list('--item', 'a')).marks).toMatchObject([{ source: 'by-hand', flags: { recall: Date.parse('2026-11-28T13:00:00Z'), dispute: null } }]);
  await flags('clear', 'a', '--flag', 'dispute', ...owner);
  expect((await list()).marks).toMatchObject([{ itemId: 'a', why: 'flag recall' }]);
  nowMs += 3_600_000;
  expect((await list()).marks).toEqual([]);
  await flags('clear', 'a', ...owner);
  expect((await standing()).book.size).toBe(0);
});

it.each([
  ['a score above one', 'item_id,violence\na,0.2\nb,1.2\n', 'UND-INPUT', '/line 3/scores/violence'],
  ['a score that is none', 'item_id,violence\na,high\n', 'UND-INPUT', '/line 2/scores/violence'],
  ['an item twice', 'item_id,violence\na,0.2\na,0.3\n', 'UND-INPUT', '/line 3'],
  ['a kind that is no name', 'item_id,Violence!\na,0.2\n', 'UND-INPUT', '/line 2/scores/Violence!'],
  ['a time that is none', 'item_id,expires_at\na,soon\n', 'UND-INPUT', '/line 2/expiresAtMs'],
  ['an id with a space before it', 'item_id,violence\n" a",0.2\n', 'UND-INPUT', '/line 2/itemId'],
  ['no column of items', 'item,violence\na,0.2\n', 'UND-FILE', undefined],
  ['no rows', 'item_id,violence\n', 'UND-FILE', undefined],
])('refuses a file with %s, and takes nothing of it', async (_what, content, code, path) => {
  await writeFile(join(root, 'scores.csv'), content);
  await expect(put('scores.csv')).rejects.toMatchObject({ code, ...(path === undefined ? {} : { mistakes: [{ path }] }) });
  expect((await standing()).generation).toBe(0);
});

it('refuses what is no file of marks, a broken line, a source that the charter does not have, and a look into the future', async () => {
  await writeFile(join(root, 'ok.jsonl'), '{"itemId":"a"}\n');
  await writeFile(join(root, 'broken.jsonl'), '{"itemId":"a"}\n{"itemId":\n');
  await expect(put('broken.jsonl')).rejects.toMatchObject({ code: 'UND-INPUT', mistakes: [{ path: '/line 2/' }] });
  await expect(put('missing.jsonl')).rejects.toMatchObject({ code: 'UND-FILE' });
  await expect(put('missing.csv')).rejects.toMatchObject({ code: 'UND-FILE' });
  await expect(put('scores.xlsx')).rejects.toMatchObject({ code: 'UND-FILE' });
  await expect(flags('put', 'ok.jsonl', '--source', 'nobody', ...owner)).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(flags('put', 'ok.jsonl', '--source', 'classifier', '--as-of', '2026-11-28T12:00:01Z', ...owner)).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(flags('set', 'a', '--flag', 'recall', '--until', 'soon', ...owner)).rejects.toThrow(/must be a time/);
  expect((await standing()).generation).toBe(0);
});
