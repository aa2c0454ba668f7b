import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openState, readLatest } from '../../activities/context.ts';
import { parquetRows } from '../../activities/events/testing.ts';
import { readCertificate } from '../../activities/privacy/erase-people.ts';
import { openRequest } from '../../activities/privacy/erasure-files.ts';
import { isSigned } from '../../activities/privacy/certificate.ts';
import { cutWindow } from '../../activities/windows/cut-window.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { createRandom } from '../../models/random.ts';
import { type Kills, play, playAgain, type Step } from './play.ts';
import { stepNames } from './worker.ts';
import { logged, makeWorld, nowMs, person, surface, type World } from './world.ts';

/*
 * SIGKILL at random moments of ingestion, rotation, retention and erasure. `UNDERSTUDY_FAULTS=200` says how often in all; a dozen without. The seed of each
 * round is in the log, and in what a failure says.
 */
const killsInAll = Number(process.env.UNDERSTUDY_FAULTS ?? 12);
const killsEach = Math.min(4, 1 + Math.ceil(killsInAll / stepNames.length));
const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const signingKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-faults-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A store that has verified nothing yet. */
const dataOf = async ({ stateDir }: World): Promise<DataState | undefined> =>
  (await readLatest(openState(stateDir).generations, `data/${surface}`, dataState))?.document;

/** What stands in the data, whatever way they came there: which segments and how many duplicates there were may differ. */
const heldBy = ({ generation, slices, changes, catalog }: DataState) => ({ generation, slices, changes, catalog });

/** The newest data, and the window over them, can be read whole. */
async function isWhole(world: World): Promise<void> {
  const data = await dataOf(world);
  if (data === undefined) return;
  const { blobs } = openState(world.stateDir);
  const charter = JSON.parse(Buffer.from(await blobs.get(world.charter)).toString('utf8'));
  const window = cutWindow({ dataState: data, charter, rulesDigest: digestJson('rules') });
  for (const { digest } of [...data.slices, ...(data.changes ?? []), ...(data.quarantine ?? []), ...window.trainSlices]) await blobs.get(digest);
  await blobs.get(data.catalog);
}

/** Each record of the log stands in one slice or in one quarantine, once. */
async function logIsThereOnce(world: World): Promise<void> {
  const data = (await dataOf(world)) as DataState;
  const { blobs } = openState(world.stateDir);
  const ids: string[] = [];
  for (const { digest } of [...data.slices, ...(data.changes ?? [])].filter(({ source }) => source === 'log'))
    ids.push(...(await parquetRows<{ event_id: string }>({ blobs, digest, columns: ['event_id'] })).map((row) => row.event_id));
  for (const { digest } of (data.quarantine ?? []).filter(({ source }) => source === 'log'))
    ids.push(...(await parquetRows<{ raw: string }>({ blobs, digest })).map(({ raw }) => (JSON.parse(raw) as { eventId: string }).eventId));
  expect(ids.toSorted()).toEqual(logged.map(({ eventId }) => eventId as string).toSorted());
}

async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Files that say something of the person, rows of Parquet included; and files that nobody will ask for. */
async function tracesIn({ stateDir }: World): Promise<string[]> {
  const found: string[] = [];
  const { blobs } = openState(stateDir);
  const needles = Object.values(person);
  for await (const { digest, path } of blobs.list()) {
    const bytes = await readFile(path);
    if (bytes.subarray(0, 4).toString('latin1') !== 'PAR1') continue;
    const rows = JSON.stringify(await parquetRows({ blobs, digest }));
    if (needles.some((needle) => rows.includes(needle))) found.push(path);
  }
  for (const path of await filesIn(stateDir)) {
    const bytes = await readFile(path);
    if (needles.some((needle) => bytes.includes(needle))) found.push(path);
  }
  return found.map((path) => relative(stateDir, path));
}

/** One world from its beginning to its end. */
async function live(name: string, { kills, onKill = () => undefined }: { kills?: Kills; onKill?: (step: Step, afterMs: number) => void } = {}) {
  const world = await makeWorld({ folder: join(folder, name), signingKey });
  const { stateDir } = world;
  const held = new Map<Step, ReturnType<typeof heldBy>>();
  let erasure = '';
  const tookMs = await play({
    world,
    async ask() {
      const people = { userIds: [person.userId], sessionIds: [], deviceIds: [] };
      const asked = { given: [person.userId], people, by: 'dpo', why: 'asked', reference: null, models: 'keep', requestedAtMs: nowMs } as const;
      ({ id: erasure } = await openRequest(stateDir, asked));
      return erasure;
    },
    kills,
    async onEnd(step, killedAfterMs) {
      await isWhole(world);
      if (killedAfterMs !== undefined) return onKill(step, killedAfterMs);
      if (step === 'ingest-log') await logIsThereOnce(world);
      const data = await dataOf(world);
      if (data !== undefined) held.set(step, heldBy(data));
    },
  });
  const certificate = await readCertificate({ state: openState(stateDir) }, erasure);
  expect(isSigned(certificate)).toBe(true);
  expect(await tracesIn(world)).toEqual([]);
  // What is left of the killed is gone but for names beside generations, which the next one of their series takes away.
  const left = (await filesIn(stateDir)).filter((path) => path.includes('scratch') || (path.includes('.new-') && !path.includes('/series/')));
  expect(left.map((path) => relative(stateDir, path))).toEqual([]);
  // The same again makes no generation and no segment: at most the manifest of an ingest that found nothing.
  const kept = async () => (await filesIn(stateDir)).filter((path) => !path.includes('/blobs/')).sort();
  const before = await kept();
  await playAgain({ world, erasure, acknowledged: logged.length });
  expect(await kept()).toEqual(before);
  return { tookMs, held };
}

it(`whatever is killed ${killsInAll} times, the data are those of a run that nobody killed`, { timeout: 60_000 + killsInAll * 15_000 }, async () => {
  const undisturbed = await live('undisturbed');
  let killed = 0;
  for (let round = 0; killed < killsInAll; round += 1) {
    const roundSeed = seed + round;
    const log: string[] = [];
    const random = createRandom(roundSeed);
    try {
      const { held } = await live(`round-${round}`, {
        kills: { each: killsEach, random, usualMs: undisturbed.tookMs },
        onKill(step, afterMs) {
          killed += 1;
          log.push(`${step} ${afterMs.toFixed(0)} ms`);
        },
      });
      expect(Object.fromEntries(held)).toEqual(Object.fromEntries(undisturbed.held));
    } finally {
      process.stderr.write(`kills, seed ${roundSeed}: ${log.join(', ')}\n`);
    }
    await rm(join(folder, `round-${round}`), { recursive: true, force: true });
  }
});
