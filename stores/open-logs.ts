import { join } from 'node:path';
import type { LogReader, LogWriter } from './event-log.ts';
import { openLogReader, openLogWriter, type SegmentFiles } from './event-log-files.ts';
import type { KafkaSettings } from './kafka/kafka-settings.ts';
import { topicOf } from './kafka/log-topic.ts';
import type { Life } from './life.ts';
import type { TornTail } from './log-recovery.ts';

export type Stream = { surface: string; stream: 'events' | 'slates' };

/** The logs of all surfaces, wherever they are kept. */
export type Logs = {
  readonly kind: 'files' | 'kafka';
  openWriter(of: Stream & { writer: string; life: Life; onTornTail?: (torn: TornTail) => void }): Promise<LogWriter>;
  reader(of: Stream): LogReader;
  /** Behind the last call to any reader or writer of it. */
  close(): Promise<void>;
};

export type LogsWhere = {
  stateDir: string;
  kafka: KafkaSettings | undefined;
  /** File operations, where they are files. */
  files?: SegmentFiles | undefined;
};

export const directoryOf = (stateDir: string, { surface, stream }: Stream): string => join(stateDir, 'log', surface, stream);

/** Files in the state directory, or topics where there is a Kafka. Nothing is opened before it is used. */
export function openLogs({ stateDir, kafka, files }: LogsWhere): Logs {
  if (kafka !== undefined) return openTopics(kafka);
  return {
    kind: 'files',
    openWriter: ({ surface, stream, ...options }) =>
      openLogWriter({ directory: directoryOf(stateDir, { surface, stream }), ...options, ...(files === undefined ? {} : { files }) }),
    reader: (of) => openLogReader({ directory: directoryOf(stateDir, of) }),
    close: async () => undefined,
  };
}

/** The client takes a second to load: that waits for the first call. */
function openTopics(settings: KafkaSettings): Logs {
  const load = async () => {
    const [{ openKafka }, { openKafkaLogWriter }, { openKafkaLogReader }] = await Promise.all([
      import('./kafka/kafka-client.ts'),
      import('./kafka/kafka-log-writer.ts'),
      import('./kafka/kafka-log-reader.ts'),
    ]);
    return { kafka: openKafka(settings), openKafkaLogWriter, openKafkaLogReader };
  };
  const readers = new Map<string, LogReader>();
  let loading: ReturnType<typeof load> | undefined;
  const loaded = () => (loading ??= load());
  return {
    kind: 'kafka',
    async openWriter({ surface, stream, writer, life }) {
      const { kafka, openKafkaLogWriter } = await loaded();
      // A batch is there as a whole or not at all: there are no torn tails.
      return openKafkaLogWriter({ kafka, topic: topicOf({ surface, stream }), writer, life });
    },
    reader(of) {
      const topic = topicOf(of);
      const reader =
        readers.get(topic) ??
        openedLate(async () => {
          const { kafka, openKafkaLogReader } = await loaded();
          return openKafkaLogReader({ kafka, topic });
        });
      readers.set(topic, reader);
      return reader;
    },
    async close() {
      if (loading !== undefined) await (await loading).kafka.close();
    },
  };
}

function openedLate(open: () => Promise<LogReader>): LogReader {
  let opening: Promise<LogReader> | undefined;
  const opened = () => (opening ??= open());
  return {
    sealed: async () => (await opened()).sealed(),
    async *read(segments) {
      yield* (await opened()).read(segments);
    },
    tail: async (...of) => (await opened()).tail(...of),
    scan: async (scan) => (await opened()).scan(scan),
    follow(from) {
      const follower = opened().then((reader) => reader.follow(from));
      follower.catch(() => undefined);
      return { look: async (take) => (await follower).look(take) };
    },
  };
}
