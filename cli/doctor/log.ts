import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { KafkaSettings } from '../../stores/kafka/kafka-settings.ts';
import { type Check, failed, note, ok } from './check.ts';

/** Files, or brokers that answer. */
export async function checkLog({ stateDir, kafka: settings }: { stateDir: string; kafka: KafkaSettings | undefined }): Promise<Check> {
  const files = join(stateDir, 'log');
  if (settings === undefined) return ok('log', `files in ${files}`);
  const brokers = settings.brokers.join(', ');
  const { innermost, openKafka } = await import('../../stores/kafka/kafka-client.ts');
  const kafka = openKafka(settings);
  try {
    await kafka.topic('understudy');
  } catch (error) {
    return failed(
      'log',
      `UNDERSTUDY_LOG ${brokers}: ${innermost(error)}`,
      'Start those brokers, mend UNDERSTUDY_LOG or the account (UNDERSTUDY_LOG_USERNAME, _PASSWORD, _MECHANISM, _CA), or unset it to keep the log in files.',
    );
  } finally {
    await kafka.close();
  }
  if ((await readdir(files).catch(() => [])).length === 0) return ok('log', `UNDERSTUDY_LOG ${brokers} answers`);
  return note(
    'log',
    `UNDERSTUDY_LOG ${brokers} answers; ${files} holds an earlier log, which is not read any more`,
    'What it holds and was not taken in: unset UNDERSTUDY_LOG, start, and run `understudy ingest SURFACE --log`. A change of the rules later takes in anew what the Kafka holds, and not these files.',
  );
}
