import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { dataState } from '../../models/contracts/window.ts';
import { openState, readLatest } from '../context.ts';
import { parquetRows, withBench } from '../events/testing.ts';
import { publishEvents } from '../features/testing.ts';
import { eraseData } from './erase-data.ts';
import { isTheirs, loadPersons } from './person-sql.ts';

/** Late in the evening of UTC, when it is the next day already east of it. */
const at = (day: number) => Date.UTC(2026, 2, day, 23, 30);

it('leaves the rows of all others in the slices in which they stood, by whatever time zone days were cut once', async () => {
  await withBench(async ({ folder }) => {
    const state = openState(join(folder, 'state'));
    await mkdir(join(folder, 'work'));
    const events = [1, 2, 3, 4].flatMap((day) =>
      ['u1', 'u2', 'u3'].map((userId) => ({
        eventId: `${userId}-${day}`,
        kind: 'view' as const,
        userId,
        sessionId: `s-${userId}`,
        itemId: 'i',
        atMs: at(day),
      })),
    );
    const kept = events.filter(({ userId, eventId }) => userId !== 'u2' || eventId === 'u2-3');
    // Of the third day nothing goes.
    await publishEvents(state, { events: events.filter(({ eventId }) => eventId !== 'u2-3'), generation: 1, workDir: join(folder, 'work') });
    const before = (await readLatest(state.generations, 'data/home', dataState))?.document;
    const people = { userIds: ['u2'], sessionIds: [], deviceIds: [] };
    const erased = await eraseData({
      state,
      surface: 'home',
      doomed: isTheirs,
      prepare: (duck) => loadPersons(duck, people),
      certificate: 'er-1',
      workDir: join(folder, 'work'),
    });
    const after = (await readLatest(state.generations, 'data/home', dataState))?.document;
    expect(erased).toMatchObject({ removed: { events: 3 }, slices: [{ day: '2026-03-01' }, { day: '2026-03-02' }, { day: '2026-03-04' }] });
    expect(after?.slices.map(({ day, source }) => ({ day, source }))).toEqual(before?.slices.map(({ day, source }) => ({ day, source })));
    expect(after?.slices[2]).toEqual(before?.slices[2]);
    for (const { day, digest, rows } of after?.slices ?? []) {
      const ids = (await parquetRows<{ event_id: string }>({ blobs: state.blobs, digest, columns: ['event_id'] })).map((row) => row.event_id);
      expect(ids).toEqual(kept.filter(({ atMs, userId }) => userId !== 'u2' && new Date(atMs).toISOString().startsWith(day)).map(({ eventId }) => eventId));
      expect(ids).toHaveLength(rows);
    }
  });
});
