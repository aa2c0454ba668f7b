import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { type Charter, parseStoredCharter } from '../models/contracts/charter.ts';
import type { CandidateSubmission } from '../models/contracts/release.ts';
import { type BlobStore, getDocument } from '../stores/blobs.ts';
import { openBlobDirectory } from '../stores/blobs-directory.ts';
import type { LogReader } from '../stores/event-log.ts';
import { type GenerationStore, parseGeneration } from '../stores/generations.ts';
import { beginLife, isOver } from '../stores/life.ts';
import { openGenerationDirectory } from '../stores/generations-directory.ts';
import type { KafkaSettings } from '../stores/kafka/kafka-settings.ts';
import type { MlflowClient } from '../stores/mlflow/mlflow-client.ts';
import { openLogs } from '../stores/open-logs.ts';
import { signerOf, signingKey } from '../stores/signatures.ts';
import type { AlertReceivers } from './watch/alert-receivers.ts';
import type { GpuSource } from './training/open-gpu.ts';

/** The state directory as the pipeline sees it, and the logs, wherever they are. */
export type State = {
  root: string;
  blobs: BlobStore;
  generations: GenerationStore;
  logReader: (surface: string, stream: 'events' | 'slates') => LogReader;
  /** What is in a Kafka cannot be taken out of it again. */
  logKind: 'files' | 'kafka';
  /** For a process that would not end by itself: behind the last use of a log. */
  close: () => Promise<void>;
};

/**
 * @param kafka where the logs are, where they are not files of the state directory
 * @param keys by which what goes into the ledgers is signed, PKCS #8: the one that is in force there; the first in ledgers that are not signed yet
 * @throws UND-SIGNING-KEY
 */
export function openState(root: string, kafka?: KafkaSettings, keys: readonly string[] = []): State {
  const logs = openLogs({ stateDir: root, kafka });
  return {
    root,
    blobs: openBlobDirectory({ root: join(root, 'blobs') }),
    generations: openGenerationDirectory({ root: join(root, 'series'), ledgerSigners: keys.map((key) => signerOf(signingKey(key))) }),
    logReader: (surface, stream) => logs.reader({ surface, stream }),
    logKind: logs.kind,
    close: logs.close,
  };
}

/** What activities are given by the worker's composition root: nothing here is read from the environment or the clock. */
export type Context = {
  state: State;
  mlflow: MlflowClient;
  now: () => number;
  /** Hands a candidate to `release/{surface}`, starting the workflow where it does not run yet. */
  submit: (submission: CandidateSubmission) => Promise<void>;
  /** Is a workflow of this id under way? */
  isRunning: (workflowId: string) => Promise<boolean>;
  /** Starts the workflow of a report that was filed, unless it has one. */
  startReport: (of: { surface: string; id: string }) => Promise<void>;
  /** Asks a workflow to do something, as one update however often it is asked. @throws the code of the refusal; UND-NO-REQUEST where it does not run */
  update: <T = unknown>(asked: { workflowId: string; update: string; updateId: string; input: unknown }) => Promise<T>;
  /** Starts a workflow on the control queue, or finds the one of that id that is under way. */
  begin: (asked: { workflow: string; workflowId: string; input: unknown }) => Promise<{ workflowId: string; runId: string }>;
  /** Tells a workflow something, where it runs. */
  signal: (told: { workflowId: string; signal: string; input: unknown }) => Promise<void>;
  /** Keys of approvers by name: an approver with a key must sign. */
  approverKeys: Readonly<Record<string, string>>;
  /** Bearer key of the serving tier's admin routes, where it has one. */
  servingKey: string | null;
  /** By which people are known on surfaces whose charters ask for keyed pseudonyms. */
  pseudonymKey: string | null;
  /** The online feature store, where it is not the one in the state directory. */
  featuresUrl: string | null;
  /** That a training may compute on at once; what comes out is the same for any number. */
  trainingThreads: number;
  /** That trainings may be done on, in workers that have one. */
  gpu?: GpuSource;
  /** Who is told of alerts; absent where nobody is. */
  alerts?: AlertReceivers;
  /** Takes what is said to whoever answers reports; absent where nobody is told. */
  reportWebhook?: string | undefined;
  /** Ed25519, PKCS #8: certificates are signed by it. What goes into the ledgers is signed by the key of `state`. */
  signingKey: string | null;
  log: (line: string) => void;
};

/** A folder of its own below the state directory, on the disk of what is made in it; gone after. */
export async function inScratch<T>({ root }: Pick<State, 'root'>, what: string, use: (workDir: string) => Promise<T>): Promise<T> {
  const scratch = join(root, 'run', 'scratch');
  await mkdir(scratch, { recursive: true });
  const life = beginLife();
  const workDir = await mkdtemp(join(scratch, `${what}~${life.id}~`));
  try {
    return await use(workDir);
  } finally {
    await rm(workDir, { recursive: true, force: true });
    life.end();
  }
}

/** Removes what killed processes left behind. @returns what those that live are at */
export async function clearScratch({ root }: Pick<State, 'root'>): Promise<string[]> {
  const scratch = join(root, 'run', 'scratch');
  const living: string[] = [];
  for (const name of await readdir(scratch).catch(() => [])) {
    const [what = '', life] = name.split('~');
    if (life !== undefined && isOver(life) !== true) living.push(what);
    else await rm(join(scratch, name), { recursive: true, force: true });
  }
  return living;
}

export async function readCharter(blobs: BlobStore, digest: string): Promise<Charter> {
  return getDocument(blobs, digest, { parse: parseStoredCharter });
}

/** The newest document of a series, checked; undefined when the series is empty. */
export async function readLatest<T>(
  generations: GenerationStore,
  series: string,
  schema: z.ZodType<T>,
): Promise<{ generation: number; document: T } | undefined> {
  const latest = await generations.latest(series);
  return latest === undefined ? undefined : { generation: latest.generation, document: parseGeneration(schema, { series, ...latest }) };
}
