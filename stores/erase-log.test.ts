import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobDirectory } from './blobs-directory.ts';
import { eraseFromLog } from './erase-log.ts';
import { openLogReader, openLogWriter } from './event-log-files.ts';
import { followLog } from './follow-log.ts';
import { beginLife } from './life.ts';
import { scanLog } from './scan-log.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'understudy-erase-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const record = (userId: string, nth: number) => ({ eventId: `e${nth}`, userId, note: 'é\u2028' });
const write = async (users: readonly string[], writer = 'w') => {
  const log = await openLogWriter({ directory, writer });
  await log.append(users.map(record));
  await log.close();
};
const erase = (userId: string) =>
  eraseFromLog({ directory, mentions: [userId], matches: (one) => (one as { userId?: string })?.userId === userId, certificate: 'c1' });
const users = async () => {
  const { records } = await openLogReader({ directory }).tail({});
  return records.map((one) => (one as { userId: string }).userId);
};

describe('erasing from a log', () => {
  it('takes exactly the records of one, leaves no byte of the name, and everything else readable by every reader', async () => {
    await write(['ann', 'bob', 'ann "x"', 'ann', 'annabel']);
    const reader = openLogReader({ directory });
    const before = await reader.sealed();
    expect(await erase('ann')).toEqual({ records: 2, segments: 1 });
    expect(await users()).toEqual(['bob', 'ann "x"', 'annabel']);
    expect(await erase('ann "x"')).toEqual({ records: 1, segments: 1 });
    const [after] = await reader.sealed();
    expect(after).toMatchObject({ records: 5, bytes: before[0]?.bytes });
    const read: unknown[] = [];
    for await (const one of reader.read(after === undefined ? [] : [after])) read.push(one);
    expect(read).toEqual([record('bob', 1), record('annabel', 4)]);
    const scanned: unknown[] = [];
    await scanLog({
      directory,
      take: (one) => scanned.push(one),
      onDamaged: ({ error }) => {
        throw error;
      },
    });
    expect(scanned).toEqual(read);
    for (const file of await readdir(directory)) expect((await readFile(join(directory, file), 'utf8')).replaceAll('annabel', '')).not.toContain('ann');
  });

  it('takes what was cut off a torn segment as a whole, where it speaks of one or may', async () => {
    await write(['bob']);
    const cuts = { one: 'torn","userId":"ann"}\n', other: 'torn","userId":"bob"}\n', whole: `torn\n${JSON.stringify(record('\u0061nn', 1))}\n` };
    for (const [name, text] of Object.entries(cuts)) await writeFile(join(directory, `${name}-00000001~x.cut`), text);
    expect(await erase('ann')).toEqual({ records: 0, segments: 0, cuts: 2 });
    expect((await readdir(directory)).filter((file) => file.endsWith('.cut'))).toEqual(['other-00000001~x.cut']);
    const escaped = '{"userId":"\\u0061nn"}\n';
    await writeFile(join(directory, 'escaped-00000001~x.cut'), escaped);
    expect(await erase('ann')).toMatchObject({ cuts: 1 });
    expect(await erase('ann')).toEqual({ records: 0, segments: 0 });
  });

  it('says by which certificate a pinned segment is not any more what it was', async () => {
    await write(['ann', 'bob']);
    const reader = openLogReader({ directory });
    const pinned = await reader.sealed();
    await erase('ann');
    const read = async () => {
      for await (const _one of reader.read(pinned));
    };
    await expect(read()).rejects.toMatchObject({ code: 'UND-ERASED', details: { certificate: 'c1' } });
  });

  it('lets those who stand in the middle of a segment go on', async () => {
    const log = await openLogWriter({ directory, writer: 'w' });
    await log.append([record('ann', 0), record('bob', 1)]);
    const first = await openLogReader({ directory }).tail({});
    const other = beginLife();
    const follower = followLog({ directory, cursor: {}, life: other });
    const followed: string[] = [];
    await follower.look((line) => followed.push(line));
    await log.append([record('cid', 2)]);
    await log.close();
    await erase('ann');
    expect((await openLogReader({ directory }).tail(first.cursor)).records).toEqual([record('cid', 2)]);
    await follower.look((line) => followed.push(line));
    expect(followed.map((line) => JSON.parse(line).userId)).toEqual(['ann', 'bob', 'cid']);
    other.end();
  });

  it('goes on where an attempt died between the bytes and the seal, and seals nothing anew that nobody can explain', async () => {
    await write(['ann', 'bob']);
    const name = (await readdir(directory)).find((file) => file.endsWith('.jsonl')) ?? '';
    const seal = await readFile(join(directory, name.replace('.jsonl', '.seal')), 'utf8');
    await erase('ann');
    const after = await readFile(join(directory, name.replace('.jsonl', '.seal')), 'utf8');
    // As it was before the seal was written.
    await writeFile(join(directory, name.replace('.jsonl', '.erasing')), after);
    await writeFile(join(directory, name.replace('.jsonl', '.seal')), seal);
    expect(await erase('ann')).toEqual({ records: 0, segments: 0 });
    expect(await readFile(join(directory, name.replace('.jsonl', '.seal')), 'utf8')).toBe(after);
    expect((await readdir(directory)).some((file) => file.endsWith('.erasing'))).toBe(false);
    const bytes = await readFile(join(directory, name));
    bytes[bytes.length - 3] = 0x21;
    await writeFile(join(directory, name), bytes);
    await expect(erase('bob')).rejects.toMatchObject({ code: 'UND-DIGEST' });
  });

  it('leaves alone what is written now, and seals what a dead writer left open', async () => {
    const log = await openLogWriter({ directory, writer: 'alive' });
    await log.append([record('ann', 0)]);
    expect(await erase('ann')).toEqual({ records: 0, segments: 0 });
    await log.seal();
    expect(await erase('ann')).toEqual({ records: 1, segments: 1 });
    await log.close();
    const life = beginLife();
    const dying = await openLogWriter({ directory, writer: 'dead', life });
    await dying.append([record('ann', 0), record('bob', 1)]);
    life.end();
    expect(await erase('ann')).toEqual({ records: 1, segments: 1 });
    expect(await users()).toEqual(['bob']);
  });
});

it('of two that erase at once, one is told to come again, and nothing comes back', async () => {
  await write(Array.from({ length: 2_000 }, (_, nth) => (nth % 2 === 0 ? 'ann' : 'bob')));
  const outcomes = await Promise.allSettled([erase('ann'), erase('bob')]);
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused.map(({ reason }) => reason.code)).toEqual(refused.map(() => 'UND-LOG-UNAVAILABLE'));
  await erase('ann');
  await erase('bob');
  expect(await users()).toEqual([]);
});

describe('erasing a blob', () => {
  it('leaves its certificate in its place, and the same bytes do not come back', async () => {
    const blobs = openBlobDirectory({ root: directory });
    const digest = await blobs.put('of ann');
    await blobs.localPath(digest);
    await blobs.erase(digest, 'c1');
    await blobs.erase(digest, 'c1');
    const erased = { code: 'UND-ERASED', details: { certificate: 'c1' } };
    await expect(blobs.get(digest)).rejects.toMatchObject(erased);
    await expect(blobs.localPath(digest)).rejects.toMatchObject(erased);
    await expect(blobs.put('of ann')).rejects.toMatchObject(erased);
    await writeFile(join(directory, 'source'), 'of ann');
    await expect(blobs.putFile(join(directory, 'source'))).rejects.toMatchObject(erased);
    expect(await blobs.has(digest)).toBe(false);
    const kept = await blobs.put('of bob');
    const listed: string[] = [];
    for await (const one of blobs.list()) listed.push(one.digest);
    expect(listed).toEqual([kept]);
    expect(kept).toBe(`sha256:${createHash('sha256').update('of bob').digest('hex')}`);
  });
});
