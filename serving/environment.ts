import { hostname } from 'node:os';
import { z } from 'zod';
import { inputError } from '../models/contracts/problem.ts';
import { kafkaOf, logVariables } from '../stores/kafka/kafka-environment.ts';
import type { KafkaSettings } from '../stores/kafka/kafka-settings.ts';

const keyList = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== ''),
  );

const schema = z.object({
  /** The state directory, shared with the pipeline. */
  UNDERSTUDY_STATE: z.string().min(1).default('.understudy'),
  ...logVariables,
  UNDERSTUDY_HOST: z.string().min(1).default('127.0.0.1'),
  /** 0: any free one. */
  UNDERSTUDY_PORT: z.coerce.number().int().min(0).max(65_535).default(4600),
  UNDERSTUDY_REPLICA: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, 'lower-case letters, digits, dots and dashes, at most 63')
    .optional(),
  /** Bearer keys, with commas between. */
  UNDERSTUDY_KEYS: keyList,
  /** Bearer keys that are for reports alone, such as of a form; of use where there are UNDERSTUDY_KEYS. */
  UNDERSTUDY_REPORTER_KEYS: keyList,
  UNDERSTUDY_ADMIN_KEY: z.string().min(1).optional(),
  /** By which people are known on surfaces whose charters ask for keyed pseudonyms. */
  UNDERSTUDY_PSEUDONYM_KEY: z.string().min(32).optional(),
  /** Model threads a surface. */
  UNDERSTUDY_MODEL_THREADS: z.coerce.number().int().min(1).max(64).default(1),
  UNDERSTUDY_MODEL_DEADLINE_MS: z.coerce.number().int().min(1).max(60_000).default(150),
  /** How long a replica that is told to end still takes connections while /readyz says so. */
  UNDERSTUDY_DRAIN_MS: z.coerce.number().int().min(0).max(60_000).default(1_000),
});

export type ServingEnvironment = {
  stateDir: string;
  kafka: KafkaSettings | undefined;
  host: string;
  port: number;
  replica: string;
  keys: string[];
  reporterKeys: string[];
  adminKey: string | null;
  pseudonymKey: string | null;
  workers: number;
  modelDeadlineMs: number;
  drainGraceMs: number;
};

/** @throws UND-ENVIRONMENT naming every variable that is wrong. */
export function readServingEnvironment(env: Readonly<Record<string, string | undefined>>): ServingEnvironment {
  const parsed = schema.safeParse(env);
  if (!parsed.success) throw inputError('UND-ENVIRONMENT', 'The environment', parsed.error.issues);
  const value = parsed.data;
  return {
    stateDir: value.UNDERSTUDY_STATE,
    kafka: kafkaOf(value),
    host: value.UNDERSTUDY_HOST,
    port: value.UNDERSTUDY_PORT,
    // One replica a machine keeps its name, and so its logs, over restarts.
    replica:
      value.UNDERSTUDY_REPLICA ??
      `serving-${hostname()
        .toLowerCase()
        .replaceAll(/[^a-z0-9.-]/g, '-')
        .slice(0, 40)}`,
    keys: value.UNDERSTUDY_KEYS,
    reporterKeys: value.UNDERSTUDY_REPORTER_KEYS,
    adminKey: value.UNDERSTUDY_ADMIN_KEY ?? null,
    pseudonymKey: value.UNDERSTUDY_PSEUDONYM_KEY ?? null,
    workers: value.UNDERSTUDY_MODEL_THREADS,
    modelDeadlineMs: value.UNDERSTUDY_MODEL_DEADLINE_MS,
    drainGraceMs: value.UNDERSTUDY_DRAIN_MS,
  };
}
