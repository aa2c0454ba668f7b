import { join } from 'node:path';
import type { LogReader, LogWriter } from '../event-log.ts';
import { openLogReader, openLogWriter } from '../event-log-files.ts';
import type { Life } from '../life.ts';
import type { TornTail } from '../log-recovery.ts';
import type { KafkaSettings } from './kafka-settings.ts';
import { topicOf } from './log-topic.ts';

export type Stream = { surface: string; stream: 'events' | 'slates' };

/** The logs of all surfaces, wherever they are kept. */
export type Logs = {
  openWriter(of: Stream & { writer: string; life: Life; onTornTail?: (torn: TornTail) => void }): Promise<LogWriter>;
  reader(of: Stream): LogReader;
  /** Behind the last call to any reader or writer of it. */
  close(): Promise<void>;
};

/** Files in the state directory, or topics where there is a Kafka. Its client, which takes a second to load, is loaded only then. */
export async function openLogs({ stateDir, kafka: settings }: { stateDir: string; kafka: KafkaSettings | undefined }): Promise<Logs> {
  if (settings === undefined) {
    const directoryOf = ({ surface, stream }: Stream) => join(stateDir, 'log', surface, stream);
    return {
      openWriter: ({ surface, stream, ...options }) => openLogWriter({ directory: directoryOf({ surface, stream }), ...options }),
      reader: (of) => openLogReader({ directory: directoryOf(of) }),
      close: async () => undefined,
    };
  }
  const [{ openKafka }, { openKafkaLogWriter }, { openKafkaLogReader }] = await Promise.all([
    import('./kafka-client.ts'),
    import('./kafka-log-writer.ts'),
    import('./kafka-log-reader.ts'),
  ]);
  const kafka = openKafka(settings);
  return {
    // A batch is there as a whole or not at all: there are no torn tails.
    openWriter: ({ writer, life, ...of }) => openKafkaLogWriter({ kafka, topic: topicOf(of), writer, life }),
    reader: (of) => openKafkaLogReader({ kafka, topic: topicOf(of) }),
    close: () => kafka.close(),
  };
}
