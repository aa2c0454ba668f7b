import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type KafkaSettings, kafkaSettings } from './kafka-settings.ts';

const text = z.string().min(1).optional();

/** Where the logs are and who we are to their brokers; files in the state directory where the first is not set. */
export const logVariables = {
  UNDERSTUDY_LOG: text,
  UNDERSTUDY_LOG_USERNAME: text,
  UNDERSTUDY_LOG_PASSWORD: text,
  UNDERSTUDY_LOG_MECHANISM: text,
  /** A file with the authorities, in PEM, that sign the brokers' certificates. */
  UNDERSTUDY_LOG_CA: text,
};

type LogVariables = z.output<z.ZodObject<typeof logVariables>>;

/** @throws UND-ENVIRONMENT naming every mistake */
export function kafkaOf(env: LogVariables): KafkaSettings | undefined {
  const { UNDERSTUDY_LOG: url, UNDERSTUDY_LOG_CA: path } = env;
  const others = Object.entries(logVariables).flatMap(([name]) => (name !== 'UNDERSTUDY_LOG' && env[name as keyof LogVariables] !== undefined ? [name] : []));
  if (url === undefined && others.length > 0)
    throw new UnderstudyError('UND-ENVIRONMENT', `${others.join(', ')} say who we are to a Kafka, and UNDERSTUDY_LOG names none`);
  if (url === undefined) return undefined;
  return kafkaSettings({
    url,
    username: env.UNDERSTUDY_LOG_USERNAME,
    password: env.UNDERSTUDY_LOG_PASSWORD,
    mechanism: env.UNDERSTUDY_LOG_MECHANISM,
    ca: path === undefined ? undefined : readAuthorities(path),
  });
}

function readAuthorities(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UnderstudyError('UND-ENVIRONMENT', `UNDERSTUDY_LOG_CA names ${path}, which cannot be read: ${(cause as Error).message}`, { cause });
  }
}
