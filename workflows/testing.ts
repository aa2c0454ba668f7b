import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, Runtime, type WorkflowBundle } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import { type Context, openState, readCharter, type State } from '../activities/context.ts';
import { currentCharter, registerCharter } from '../activities/registry/charters.ts';
import { dataConverterOf, failureConverterPath } from '../activities/payload-codec.ts';
import { temporalRequests } from '../activities/temporal-requests.ts';
import { createWorkers } from '../activities/worker.ts';
import { runIngest, runIngestLog } from '../cli/commands/ingest.ts';
import { runRetrain } from '../cli/commands/retrain.ts';
import { type CommandContext, readEnvironment } from '../cli/environment.ts';
import { orderOverride } from '../cli/overrides.ts';
import { openShop, type Shop } from '../cli/shoppers/shop.ts';
import { loadSurfaceConfig, type SurfaceConfig } from '../cli/surface-config.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startTemporal } from '../cli/system/start-servers.ts';
import { releaseStatus } from '../cli/temporal.ts';
import { trainingsOf } from '../cli/trainings.ts';
import { castVote } from '../cli/votes.ts';
import type { LedgerEntry, ReleaseStatus } from '../models/contracts/release.ts';
import { startServing } from '../serving/server.ts';
import { latestDeployment } from '../stores/deployments.ts';
import { readLedger } from '../stores/ledger.ts';
import { createMlflow } from '../stores/mlflow/mlflow-client.ts';
import { makeTinySurface } from '../test/tiny-surface/make-tiny-surface.ts';

type Json = Record<string, unknown>;
type Options = {
  temporalCli: string;
  mlflowUrl: string;
  seed: number;
  /** Fields of the tiny charter's `release`, laid over short ones. */
  release?: Json;
  /** Fields of `release.canary`. */
  canary?: Json;
  charter?: Json;
  approverKeys?: Record<string, string>;
  pseudonymKey?: string;
  signingKey?: string;
  payloadKey?: string;
  /** Events after which Temporal suggests that a workflow goes on as a new run; its own default is 4096. */
  longHistory?: number;
  /** False: nobody serves; a test that never publishes needs no replica. */
  serving?: boolean;
};

export const quickRelease = {
  approvers: [
    { name: 'lead', role: 'ml-lead' },
    { name: 'second', role: 'ml-lead' },
  ],
  rehearsal: { slates: 0, maxDurationMs: 60_000 },
};
const quickCanary = { shadowSlates: 20, ladder: [0.1, 0.5], minUnits: [10, 60], lookEveryMs: 100, maxDurationMs: 60_000, maxP99Ms: 5_000 };

const bundles = new Map<string, Promise<WorkflowBundle>>();

/** Made once for the worlds with a payload key, whose workflows say nothing of their failures, and once for the others. */
function bundleFor({ payloadKey }: Options): Promise<WorkflowBundle> {
  const which = payloadKey === undefined ? 'plain' : 'encrypted';
  const options = { workflowsPath: fileURLToPath(new URL('./bundle.ts', import.meta.url)), logger: new DefaultLogger('ERROR') };
  const bundle = bundles.get(which) ?? bundleWorkflowCode({ ...options, ...(payloadKey === undefined ? {} : { failureConverterPath }) });
  bundles.set(which, bundle);
  return bundle;
}

/** The pipeline on one machine: a Temporal of its own, a worker of both roles in this process, a serving replica, the tiny surface's data. */
export type World = Awaited<ReturnType<typeof openWorld>>;

export async function openWorld(options: Options) {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return await open();
  } catch (error) {
    await close();
    throw error;
  }

  async function open() {
    const folder = await mkdtemp(join(tmpdir(), 'understudy-world-'));
    closers.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const stateDir = join(folder, 'state');
    const surface = `tiny-${randomBytes(3).toString('hex')}`;
    const tiny = await makeTinySurface({
      folder: join(folder, 'surface'),
      seed: options.seed,
      people: 240,
      charter: { surface, release: { ...quickRelease, ...options.release, canary: { ...quickCanary, ...options.canary } }, ...options.charter },
    });
    const temporal = await startTemporal({
      stateDir,
      runDir: runDirectory(stateDir),
      env: process.env,
      restart: false,
      cli: options.temporalCli,
      port: 0,
      uiPort: 0,
      dynamicConfig: options.longHistory === undefined ? {} : { 'limit.historyCount.suggestContinueAsNew': options.longHistory },
    });
    closers.push(() => temporal.child.stop());
    const command: CommandContext = {
      env: readEnvironment({
        TEMPORAL_ADDRESS: temporal.address,
        ...(options.pseudonymKey === undefined ? {} : { UNDERSTUDY_PSEUDONYM_KEY: options.pseudonymKey }),
        ...(options.payloadKey === undefined ? {} : { UNDERSTUDY_PAYLOAD_KEY: options.payloadKey }),
      }),
      cwd: folder,
      now: Date.now,
    };
    const connection = await Connection.connect({ address: temporal.address });
    closers.push(() => connection.close());
    const client = new Client({ connection, ...dataConverterOf(options.payloadKey) });
    const state = openState(stateDir, undefined, options.signingKey === undefined ? [] : [options.signingKey]);
    const said: string[] = [];
    const context: Context = {
      state,
      mlflow: createMlflow({ trackingUri: options.mlflowUrl }),
      now: Date.now,
      ...temporalRequests(client),
      approverKeys: options.approverKeys ?? {},
      servingKey: null,
      pseudonymKey: options.pseudonymKey ?? null,
      featuresUrl: null,
      trainingThreads: 2,
      signingKey: options.signingKey ?? null,
      log: (line) => void said.push(line),
    };
    const workers = await createWorkers({
      context,
      roles: ['control', 'training'],
      connection: { address: temporal.address },
      namespace: 'default',
      workflowBundle: await bundleFor(options),
      ...dataConverterOf(options.payloadKey),
    });
    const working = workers.run();
    closers.push(async () => {
      workers.shutdown();
      await working;
    });
    const serving =
      options.serving === false
        ? undefined
        : await startServing({
            stateDir,
            port: 0,
            replica: 'one',
            keys: [],
            adminKey: null,
            pseudonymKey: options.pseudonymKey ?? null,
            clock: Date.now,
            log: (line) => void said.push(line),
            seed: options.seed,
          });
    if (serving !== undefined) closers.push(() => serving.close());
    const config = await loadSurfaceConfig(tiny.config);
    return world({ options, command, client, state, context, stateDir, surface, config, said, close, closers, servingUrl: serving?.url ?? '', workers });
  }
}

/** A canary beside others on a busy machine takes this long; whoever waits in vain is told. */
const patienceMs = 80_000;

/** Asks until there is an answer. */
async function eventually<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const deadlineMs = Date.now() + patienceMs; ; await delay(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadlineMs) throw new Error(`waited ${patienceMs / 1000} s for ${what}`);
  }
}

type Parts = {
  options: Options;
  command: CommandContext;
  client: Client;
  state: State;
  context: Context;
  stateDir: string;
  surface: string;
  config: SurfaceConfig;
  said: string[];
  close: () => Promise<void>;
  closers: (() => Promise<unknown>)[];
  servingUrl: string;
  workers: { shutdown: () => void };
};

function world(parts: Parts) {
  const { command, client, state, stateDir, surface, config } = parts;
  const status = () => releaseStatus(client, surface).catch(() => undefined);
  const ledger = () => readLedger(state.generations, surface);
  return {
    ...parts,
    status,
    ledger,
    ingest: () => runIngest(command, { stateDir, config, file: undefined, endsAt: undefined }),
    ingestLog: () => runIngestLog(command, { stateDir, surface }),
    retrain: (...candidates: string[]) => runRetrain(command, { stateDir, surface, candidates, guest: null }),
    /** Registers the charter with these fields of `release` changed, as a next ingest or start would. */
    async changeCharter(change: (charter: Json) => Json) {
      await registerCharter(state, change(structuredClone(config.input as Json)), Date.now());
    },
    champion: async () => (await latestDeployment(state.generations, surface))?.champion,
    deployment: () => latestDeployment(state.generations, surface),
    vote: (by: string, over: { decision?: 'approve' | 'reject'; evidence?: string; key?: string; acceptsLoosened?: boolean } = {}) =>
      castVote(client, { ...over, surface, decision: over.decision ?? 'approve', by, why: 'a test', evidence: over.evidence, key: over.key }),
    override: (action: 'abort' | 'rollback' | 'pause' | 'resume', context = command) =>
      orderOverride(context, stateDir, { action, surface, by: 'sre', why: 'a test' }),
    until: (what: string, holds: (now: ReleaseStatus) => boolean): Promise<ReleaseStatus> =>
      eventually(what, async () => {
        const now = await status();
        return now !== undefined && holds(now) ? now : undefined;
      }),
    /** Until a retraining of the surface does. */
    waitsForGpu: () =>
      eventually('a training that waits for a GPU', async () => (await trainingsOf(client, surface)).find(({ phase }) => phase === 'waiting for a GPU')),
    /** The ledger's last word on a run. */
    closing: (runId: string): Promise<LedgerEntry> =>
      eventually(`the end of ${runId}`, async () => (await ledger()).findLast((entry) => entry.by === runId && entry.detail.disagreement !== undefined)),
    /** Data in, and the bootstrap candidate live. */
    async bootstrapped(): Promise<string> {
      await runIngest(command, { stateDir, config, file: undefined, endsAt: undefined });
      const [run] = await runRetrain(command, { stateDir, surface, candidates: null, guest: null });
      await this.closing(run?.runId ?? '');
      return run?.artifact ?? '';
    },
    /** Shoppers until the world closes. */
    async trade(busy: () => boolean = () => true): Promise<Shop> {
      const charter = await readCharter(state.blobs, await currentCharter(state, surface));
      const shop = openShop({ state, surface, servingUrl: parts.servingUrl, charter, seed: parts.options.seed });
      const ending = new AbortController();
      const open = shop.keepOpen({ signal: ending.signal, busy });
      parts.closers.push(async () => {
        ending.abort();
        await open;
        shop.close();
      });
      return shop;
    },
  };
}
