import { ingestEventLog } from '../../activities/events/ingest-event-log.ts';
import { ingestSource } from '../../activities/events/ingest-source.ts';
import { digestSource } from '../../activities/events/source-bytes.ts';
import { quietBeat } from '../../activities/events/testing.ts';
import { enforceRetention } from '../../activities/privacy/enforce-retention.ts';
import { certifyErasure, eraseEverywhere, surveyErasure, sweepErased } from '../../activities/privacy/erase-people.ts';
import { join } from 'node:path';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { contextOf, logged, surface, type World } from './world.ts';

/** A process that does one step of a world, from wherever an attempt before it was killed; its parent kills it too. */
export type Order = { step: keyof typeof steps; world: World /** Of the log: so many records are acknowledged. */; acknowledged: number; erasure: string };
export type Told = 'ready' | { acknowledged: number };

const tell = (told: Told) => process.send?.(told);

const file =
  (nth: 0 | 1) =>
  async ({ world }: Order) => {
    const path = world.files[nth];
    const source = { path, name: 'events', digest: (await digestSource(path)).digest };
    await ingestSource(contextOf(world), { surface, charter: world.charter, mapping: world.mapping, source, endsAt: null }, quietBeat);
  };

const steps = {
  'first-file': file(0),

  async 'write-log'({ world, acknowledged }: Order) {
    const writer = await openLogWriter({ directory: join(world.stateDir, 'log', surface, 'events'), writer: 'w', maxSegmentBytes: 20_000 });
    for (let from = acknowledged; from < logged.length; ) {
      const some = logged.slice(from, from + 1 + (from % 5));
      await writer.append(some);
      from += some.length;
      tell({ acknowledged: from });
    }
    await writer.close();
  },

  async 'ingest-log'({ world }: Order) {
    await ingestEventLog(contextOf(world), { surface, charter: world.charter }, quietBeat);
  },

  'second-file': file(1),

  async retention({ world }: Order) {
    await enforceRetention(contextOf(world), { surface }, quietBeat);
  },

  async erasure({ world, erasure: id }: Order) {
    const context = contextOf(world);
    if ((await surveyErasure(context, { id }, quietBeat)).over) return;
    for (let done = false; !done; ) {
      await eraseEverywhere(context, { id }, quietBeat);
      await sweepErased(context, { id }, quietBeat);
      done = (await certifyErasure(context, { id }, quietBeat)).done;
    }
  },
};
export const stepNames = ['first-file', 'write-log', 'ingest-log', 'second-file', 'retention', 'erasure'] as const satisfies readonly (keyof typeof steps)[];

if (process.send !== undefined && process.argv[2] !== undefined) {
  const order = JSON.parse(process.argv[2]) as Order;
  tell('ready');
  await steps[order.step](order);
  process.disconnect();
}
