import type { TestProject } from 'vitest/node';
import { ensureKafka, startKafka } from '../../bootstrap/kafka.mjs';
import { cacheDirectory } from '../../bootstrap/paths.mjs';
import { SetupError } from '../../bootstrap/problem.mjs';
import { innermost, openKafka } from './kafka-client.ts';
import { kafkaSettings } from './kafka-settings.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    kafkaAddress: string;
  }
}

/** For one broker, which is all that a test needs. */
export const settingsFor = (address: string) => kafkaSettings({ url: `kafka://${address}?replicas=1&partitions=3` });

/** A broker that the test may stop. */
export async function startOwnBroker(options: Omit<Parameters<typeof startKafka>[0], 'kafka'> = {}): ReturnType<typeof startKafka> {
  const { env } = process;
  return startKafka({ kafka: await ensureKafka({ cache: cacheDirectory(env), env }), ...options });
}

/** The broker that UNDERSTUDY_TEST_KAFKA names, or one of its own, for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.UNDERSTUDY_TEST_KAFKA;
  if (given === undefined || given === '') {
    const broker = await startOwnBroker();
    project.provide('kafkaAddress', broker.address);
    return broker.stop;
  }
  const kafka = openKafka(settingsFor(given));
  try {
    await kafka.topic('understudy');
  } catch (cause) {
    const why = `UND-SETUP: no Kafka broker answers at ${given} (UNDERSTUDY_TEST_KAFKA): ${innermost(cause)}`;
    throw new SetupError('UND-SETUP', why, 'Start it, or unset the variable.');
  } finally {
    await kafka.close();
  }
  process.stderr.write(`The broker at ${given} is not ours to stop: the tests in with-broker/own/ are left out.\n`);
  project.provide('kafkaAddress', given);
  return async () => undefined;
}
