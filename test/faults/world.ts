import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Context, openState } from '../../activities/context.ts';
import { columnMapping } from '../../activities/events/column-mapping.ts';
import { benchContext, testCharter } from '../../activities/events/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { createRandom } from '../../models/random.ts';
import { putDocument } from '../../stores/blobs.ts';

/*
 * A small surface with everything that is stored of people: two deliveries of a file, a log, quarantine, changes; and what is done with it, step by step. The
 * same each time, so that what was killed on the way can be compared with what was not.
 */

export const surface = 'home';
export const person = { userId: 'forget-me-4711', sessionId: 'session-of-4711' };
export const nowMs = Date.UTC(2026, 2, 20, 12);
const dayMs = 86_400_000;
const users = 40;
const items = 30;

/** What a worker process is told. */
export type World = { stateDir: string; charter: string; mapping: string; files: [first: string, second: string]; signingKey: string };

const mapping = columnMapping({ eventId: 'id', user: 'user', session: 'session', item: 'item', kind: 'kind', at: 'at', atFormat: 'epoch-ms', quantity: 'n' });

export async function makeWorld({ folder, signingKey }: { folder: string; signingKey: string }): Promise<World> {
  const stateDir = join(folder, 'state');
  await mkdir(stateDir, { recursive: true });
  const state = openState(stateDir);
  const retention = { days: 18, daysOf: { view: 9 }, slateDays: 5, quarantineDays: 4 };
  const window = { trainDays: 10, gapDays: 0, testDays: 2 };
  // The deliveries are of days that were to be kept then; what is kept less long since is for retention to erase.
  const asDelivered = { surface, window, confidence: { view: 1, purchase: 1 } };
  const { digest } = await registerCharter(state, testCharter(asDelivered), 1);
  await registerCharter(state, testCharter({ ...asDelivered, retention }), 2);
  const files: World['files'] = [join(folder, 'first.csv'), join(folder, 'second.csv')];
  await writeFile(files[0], fileOf({ fromDay: 24, toDay: 8 }));
  // The second delivery has the last days of the first again, with more rows, and the days behind them.
  await writeFile(files[1], fileOf({ fromDay: 11, toDay: 3, more: 10 }));
  return { stateDir, charter: digest, mapping: await putDocument(state.blobs, mapping), files, signingKey };
}

export const contextOf = (world: Pick<World, 'stateDir' | 'signingKey'>): Context =>
  benchContext(world.stateDir, { now: () => nowMs, signingKey: world.signingKey });

/** Rows of the days from so many days ago on, about one in twenty of them wrong or there twice. */
function fileOf({ fromDay, toDay, more = 0 }: { fromDay: number; toDay: number; more?: number }): string {
  const lines = ['id,user,session,item,kind,at,n'];
  for (let day = fromDay; day >= toDay; day -= 1) {
    const random = createRandom(day);
    for (let row = 0; row < 60 + more; row += 1) {
      const own = row % 20 === 0;
      const user = own ? person.userId : `u${random.below(users)}`;
      const kind = random.float() < 0.3 ? 'purchase' : 'view';
      const line = `f${day}-${row},${user},${own ? person.sessionId : `s${user}-${day}`},i${random.below(items)},${kind},${nowMs - day * dayMs + row * 60_000},${row % 23 === 7 ? 0 : 1}`;
      lines.push(line);
      if (row % 29 === 3) lines.push(line);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** What visitors sent of late, in its order: interactions, now and then what is none, and what people say of themselves. */
export const logged: readonly Record<string, unknown>[] = Array.from({ length: 600 }, (_, nth) => {
  const random = createRandom(10_000 + nth);
  const own = nth % 25 === 0;
  const userId = own ? person.userId : `u${random.below(users)}`;
  const atMs = nowMs - 2 * dayMs + nth * 200_000;
  const event = { schemaVersion: 2, eventId: `l${nth}`, surface, atMs, receivedAtMs: atMs + 500, userId };
  // A change, or, as every other one, what would be a change of a version that nobody knows.
  if (nth % 50 === 10) return { ...event, schemaVersion: nth % 100 === 10 ? 1 : 2, kind: 'profile', attributes: { tier: `t${nth}` } };
  const itemId = nth % 40 === 5 ? 'nobody-knows' : `i${random.below(items)}`;
  return { ...event, kind: 'view', sessionId: own ? person.sessionId : `s${userId}`, itemId };
});
