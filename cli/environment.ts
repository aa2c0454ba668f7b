import { resolve } from 'node:path';
import { z } from 'zod';
import { payloadKey, temporalVariables } from '../activities/temporal-connection.ts';
import { inputError } from '../models/contracts/problem.ts';
import { kafkaOf, logVariables } from '../stores/kafka/kafka-environment.ts';
import type { KafkaSettings } from '../stores/kafka/kafka-settings.ts';

const environment = z.object({
  UNDERSTUDY_STATE: z.string().min(1).default('.understudy'),
  /** Where the user stood: npm scripts change the directory. */
  UNDERSTUDY_CWD: z.string().optional(),
  UNDERSTUDY_TEMPORAL_CLI: z.string().optional(),
  UNDERSTUDY_MLFLOW_PYTHON: z.string().optional(),
  /** Whether `understudy up` starts a worker that trains on this machine's GPU: where one is `found`, for `any` (in software too), or `off`. */
  UNDERSTUDY_GPU: z.enum(['found', 'any', 'off']).default('found'),
  TEMPORAL_ADDRESS: z.string().min(1).optional(),
  ...temporalVariables,
  ...logVariables,
  MLFLOW_TRACKING_URI: z.url().optional(),
  MLFLOW_TRACKING_TOKEN: z.string().optional(),
  /** The approver's own key, with which a vote is signed. */
  UNDERSTUDY_APPROVER_KEY: z.string().min(8).optional(),
  UNDERSTUDY_ADMIN_KEY: z.string().min(8).optional(),
  /** By which people are known on surfaces whose charters ask for keyed pseudonyms. */
  UNDERSTUDY_PSEUDONYM_KEY: z.string().min(32).optional(),
  UNDERSTUDY_PAYLOAD_KEY: payloadKey,
  /** What this process decides is signed by it; where it is absent, the workers sign it. */
  UNDERSTUDY_SIGNING_KEY: z.string().min(1).optional(),
  /** That takes over. */
  UNDERSTUDY_NEXT_SIGNING_KEY: z.string().min(1).optional(),
});

/** `kafka`: where the logs are, where they are not files of the state directory. */
export type CliEnvironment = z.output<typeof environment> & { kafka?: KafkaSettings | undefined };

/** @throws UND-ENVIRONMENT naming every mistake. */
export function readEnvironment(variables: NodeJS.ProcessEnv): CliEnvironment {
  const parsed = environment.safeParse(variables);
  if (!parsed.success) throw inputError('UND-ENVIRONMENT', 'The environment', parsed.error.issues);
  return { ...parsed.data, kafka: kafkaOf(parsed.data) };
}

/** What every command may use. Built once in the composition root. */
export type CommandContext = { env: CliEnvironment; cwd: string; now: () => number };

export function stateDirectory(context: CommandContext, option: string | undefined): string {
  return resolve(context.cwd, option ?? context.env.UNDERSTUDY_STATE);
}

/** By which entries of ledgers may be signed here. */
export const signingKeysOf = (env: CliEnvironment): string[] =>
  [env.UNDERSTUDY_SIGNING_KEY, env.UNDERSTUDY_NEXT_SIGNING_KEY].filter((key) => key !== undefined);
