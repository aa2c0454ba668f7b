import type { LogCursor, LogFollower } from '../event-log.ts';
import type { Life } from '../life.ts';
import type { Kafka } from './kafka-client.ts';
import { readMessages } from './log-message.ts';
import { createRecordFilter } from './records-of-segments.ts';
import { parseSegmentName } from './segment-index.ts';

/** Read at once: who serves meanwhile is held up for as long as this takes to be looked through. */
const pieceBytes = 512 * 1024;

/** `LogReader.follow` of a topic. Records come once they are known to be acknowledged. */
export function followTopic({ kafka, topic, cursor, life }: { kafka: Kafka; topic: string; cursor: LogCursor; life: Pick<Life, 'id'> }): LogFollower {
  const next: Record<string, number> = { ...cursor };
  const filter = createRecordFilter(next);
  return {
    async look(take) {
      let failure: unknown;
      for (const [partition, until] of (await kafka.offsets(topic, 'end')).entries()) {
        const from = next[partition] ?? 0;
        if (from >= until) continue;
        try {
          for await (const message of readMessages(kafka, { topic, partition, from, until, maxBytes: pieceBytes })) {
            if (parseSegmentName(message.segment)?.life !== life.id) for (const { text } of filter.see(message)) take(text);
            next[partition] = message.offset + 1;
          }
          next[partition] = until;
        } catch (error) {
          failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
    },
  };
}
