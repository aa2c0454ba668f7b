import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker';
import type { Context } from '../activities/context.ts';
import { benchContext } from '../activities/events/testing.ts';
import { registerCharter } from '../activities/registry/charters.ts';
import { closeShop, livePast, openShopState, presentClock, type Shop, shopSurface, type Visitors, visitAll } from '../activities/root-cause/testing.ts';
import { temporalRequests } from '../activities/temporal-requests.ts';
import { createWorkers } from '../activities/worker.ts';
import { type CauseOrder, decideMend, rootCauseStatus, startRootCause } from '../cli/root-cause/follow.ts';
import { runDirectory } from '../cli/system/pid-file.ts';
import { startTemporal } from '../cli/system/start-servers.ts';
import { ingestLogWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import type { RootCauseRules } from '../models/contracts/charter-root-cause.ts';
import type { RootCauseStatus } from '../models/contracts/root-cause.ts';
import type { ServingOptions } from '../serving/server.ts';
import { startReplica, until } from '../serving/testing.ts';
import { latestDeployment } from '../stores/deployments.ts';
import { readLedger } from '../stores/ledger.ts';

/** Between two crowds: a machine with two cores has more to do. */
const quietMs = 150;
/** Visitors of each earlier day, in the last minutes before this time of day. */
const pastVisits = 130;

/** A shop with two weeks behind it, in which something may be wrong, a Temporal, a worker and a replica, all at the present time. */
export type CauseWorld = Awaited<ReturnType<typeof openCauseWorld>>;

export async function openCauseWorld({ temporalCli, seed, serving = {} }: { temporalCli: string; seed: number; serving?: Partial<ServingOptions> }) {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const shop = await openShopState();
    closers.push(() => closeShop(shop));
    const { stateDir } = shop;
    const given = { stateDir, runDir: runDirectory(stateDir), env: process.env, restart: false, port: 0, uiPort: 0 };
    const temporal = await startTemporal({ ...given, cli: temporalCli });
    closers.push(() => temporal.child.stop());
    const bundle = bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL('./bundle.ts', import.meta.url)), logger: new DefaultLogger('ERROR') });
    await livePast(shop, seed, { fromMs: Date.now() - 5 * 60_000, visits: pastVisits });
    const connection = await Connection.connect({ address: temporal.address });
    closers.push(() => connection.close());
    const client = new Client({ connection });
    const context: Context = benchContext(stateDir, { now: Date.now, ...temporalRequests(client) });
    const workers = await createWorkers({
      ...{ context, roles: ['control'], connection: { address: temporal.address }, namespace: 'default', workflowBundle: await bundle },
    });
    const working = workers.run();
    closers.push(async () => {
      workers.shutdown();
      await working;
    });
    const replica = await startReplica(stateDir, serving);
    closers.push(() => replica.close());
    return causeWorld({ shop, client, context, url: replica.url, seed, close, closers });
  } catch (error) {
    await close();
    throw error;
  }
}

type Parts = {
  shop: Shop;
  client: Client;
  context: Context;
  url: string;
  seed: number;
  close: () => Promise<void>;
  closers: (() => Promise<unknown>)[];
};

function causeWorld(parts: Parts) {
  const { shop, client, context, url, seed } = parts;
  let crowds = 0;
  const status = (id: string) => rootCauseStatus(client, id);
  return {
    ...parts,
    status,
    ledger: () => readLedger(context.state.generations, shopSurface),
    deployment: () => latestDeployment(context.state.generations, shopSurface),
    /** In force from now on, for the mends; what serves goes by the charter of its deployment. */
    rules: (rootCause: Partial<RootCauseRules>) => registerCharter(context.state, { ...shop.charter, rootCause }, Date.now()),
    /** So many visitors at once. */
    async visit(visits: number, over: Partial<Visitors> = {}): Promise<void> {
      crowds += 1;
      await visitAll([url], presentClock, { visits, seed: seed + 1_000 * crowds, ...over });
    },
    /** What was logged becomes the surface's data. */
    ingestLog: () =>
      client.workflow.execute(workflowNames.ingest, {
        workflowId: ingestLogWorkflowId(shopSurface, Date.now()),
        taskQueue: taskQueues.control,
        args: [{ surface: shopSurface, charter: null, log: true }],
      }),
    /** Visitors until the world closes. */
    trade(): void {
      const ending = new AbortController();
      const open = (async () => {
        while (!ending.signal.aborted) {
          await this.visit(16);
          await pause(quietMs);
        }
      })();
      parts.closers.push(async () => {
        ending.abort();
        await open;
      });
    },
    start: (alert: string | null, since = shop.nowMs) => {
      const order: CauseOrder = { surface: shopSurface, alert, signal: null, promotion: null, fromMs: since, toMs: Date.now(), by: 'a test' };
      return startRootCause(client, order);
    },
    decide: (id: string, by: string, over: { decision?: 'approve' | 'reject'; evidence?: string } = {}) =>
      decideMend(client, { id, decision: over.decision ?? 'approve', by, why: 'a test', evidence: over.evidence, key: undefined }),
    until: (id: string, isSo: (now: RootCauseStatus) => boolean): Promise<RootCauseStatus> => until(() => status(id), isSo, 80_000),
  };
}
