import { beginLife } from './life.ts';
import { openLogs } from './open-logs.ts';
import type { WriterProcess } from './testing-log-suite.ts';

/** A process that appends `{ writer, number }` for ever, and tells its parent what was acknowledged, until it is killed. */
const { where, surface, writer, from } = JSON.parse(process.argv[2] ?? '') as WriterProcess;
const logs = openLogs(where);
const log = await logs.openWriter({ surface, stream: 'events', writer, life: beginLife() });
for (let number = from; ; ) {
  const some = Array.from({ length: 1 + (number % 4) }, (_, place) => ({ writer, number: number + place, text: 'x'.repeat(number % 700) }));
  await log.append(some);
  number += some.length;
  process.send?.({ acknowledged: number });
}
