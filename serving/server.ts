import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type RequestHandler, Router } from 'express';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createRandom } from '../models/random.ts';
import { openBlobDirectory } from '../stores/blobs-directory.ts';
import type { SegmentFiles } from '../stores/event-log-files.ts';
import { openGenerationDirectory } from '../stores/generations-directory.ts';
import type { KafkaSettings } from '../stores/kafka/kafka-settings.ts';
import { beginLife } from '../stores/life.ts';
import { openLogs } from '../stores/open-logs.ts';
import { docsPage } from './docs-page.ts';
import { isAdminOpen, isLoopback, needsAdmin, needsKey } from './http/auth.ts';
import { createFastExpress } from './http/fast-express.ts';
import { jsonBody } from './http/json-body.ts';
import { prelude } from './http/prelude.ts';
import { answerBrokenRequests, noOptions, notFound, problemResponse } from './http/problem-response.ts';
import { createMetrics } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import { refuseTwins, startReplicaReport } from './replica-report.ts';
import { embeddingsRoute, similarRoute } from './routes/embeddings.ts';
import { alertsRoute } from './routes/alerts.ts';
import { eventsRoute, schemaRoute, schemasRoute } from './routes/events.ts';
import { auditsRoute, rootCausesRoute } from './routes/decisions.ts';
import { orderRoute, ordersRoute } from './routes/orders.ts';
import { flagsRoute } from './routes/flags.ts';
import { drainRoute, forgetRoute, liveRoute, metricsRoute, readyRoute, sealRoute, surfaceRoute } from './routes/operations.ts';
import { recommendRoute } from './routes/recommend.ts';
import { openReportsRoute, reportRoute, reportsRoute } from './routes/reports.ts';
import { type RouteName, routeList, routes } from './routes/table.ts';
import type { RouteInfo } from './routes/route-info.ts';
import { openSurface } from './surface.ts';
import { watchDeployments } from './watch-deployments.ts';

export type ServingOptions = {
  stateDir: string;
  host?: string;
  /** 0: any free one. */
  port: number;
  /** Name of this replica: of its logs and its report. Lower-case letters, digits, dots, dashes. */
  replica: string;
  /** Model threads a surface. */
  workers?: number;
  /** Bearer keys of the /v1 routes; none: open, which only a server on this machine's own addresses may be. */
  keys: readonly string[];
  /** Bearer keys that are for reports alone. */
  reporterKeys?: readonly string[];
  adminKey: string | null;
  /** By which people are known on surfaces whose charters ask for keyed pseudonyms; without it such a surface is refused. */
  pseudonymKey?: string | null;
  clock: () => number;
  log: (line: string) => void;
  modelDeadlineMs?: number;
  /** Seed of the exploration; drawn where none is given. */
  seed?: number;
  /** How long a replica that is to end still takes connections, so that whoever spreads the load sees it in /readyz and turns away. */
  drainGraceMs?: number;
  /** Where the logs are, where they are not files of the state directory. */
  kafka?: KafkaSettings | undefined;
  /** File operations of the logs. */
  files?: SegmentFiles;
};

export type Serving = {
  url: string;
  /** Ends all model threads as a crash would: for drills. */
  crashModels(): void;
  /** Says that it drains, then takes no new connections, answers what is under way, seals the logs. */
  close(): Promise<void>;
  /** Settles when it has closed, whoever asked for it. */
  ended: Promise<void>;
};

const version = '0.1.0';
const drainAtMostMs = 10_000;

/**
 * Starts one replica of the serving tier. It resolves when every surface that exists has been loaded (or refused) and the server listens.
 * @throws UND-ENVIRONMENT when it would be open to other machines without keys, or when a replica of this name runs already.
 */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { stateDir, host = '127.0.0.1', port, replica, workers = 1, keys, adminKey, clock, log, modelDeadlineMs = 150 } = options;
  const localOnly = isLoopback(host);
  if (!localOnly && keys.length === 0) throw new UnderstudyError('UND-ENVIRONMENT', `Beyond this machine (${host}) the tier needs keys: set UNDERSTUDY_KEYS`);
  const life = beginLife();
  await refuseTwins({ stateDir, replica, life: life.id, clock }).catch((error) => {
    life.end();
    throw error;
  });
  const metrics = createMetrics();
  const blobs = openBlobDirectory({ root: join(stateDir, 'blobs') });
  const generations = openGenerationDirectory({ root: join(stateDir, 'series') });
  const logs = openLogs({ stateDir, kafka: options.kafka, files: options.files });
  const boot = randomBytes(6).toString('base64url').replaceAll(/[-_]/g, 'x');
  let requestCount = 0;
  const newRequestId = () => `${boot}${(requestCount++).toString(36)}`;
  const random = createRandom(options.seed ?? randomBytes(6).readUIntBE(0, 6));
  let draining = false;
  let reportChanged: () => void = () => undefined;

  const watcher = watchDeployments({
    blobs,
    generations,
    threads: workers,
    pseudonymKey: options.pseudonymKey ?? null,
    deadlineMs: modelDeadlineMs,
    metrics,
    clock,
    log,
    openSurface: (name, snapshot) => openSurface({ name, logs, blobs, generations, replica, life, metrics, log, snapshot, clock }),
    onChange: () => reportChanged(),
  });
  const { surfaces, standings, unseen } = watcher;
  async function closeSurfaces(): Promise<void> {
    for (const surface of surfaces.values()) await surface.close();
    await logs.close();
    life.end();
  }
  await watcher.look();

  const { app, listen } = createFastExpress();
  let url = '';
  const answerText = (type: string, make: () => string): RequestHandler => {
    let text: string | undefined;
    return (_request, response) => {
      text ??= make();
      response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" });
      response.end(text);
    };
  };
  const handlers: Record<RouteName, RequestHandler> = {
    recommend: recommendRoute({ surfaces, replica, clock, random, newRequestId, metrics }),
    similar: similarRoute({ surfaces, clock }),
    embeddings: embeddingsRoute({ surfaces }),
    events: eventsRoute({ surfaces, metrics, clock }),
    flags: flagsRoute({ surfaces, blobs, generations, clock }),
    schemas: schemasRoute,
    schema: schemaRoute,
    surface: surfaceRoute({ surfaces, standings }),
    reports: reportsRoute({ surfaces, stateDir, generations, clock }),
    report: reportRoute({ surfaces, stateDir, generations, clock }),
    openReports: openReportsRoute({ surfaces, generations }),
    orders: ordersRoute({ stateDir, clock }),
    order: orderRoute({ stateDir, clock }),
    audits: auditsRoute({ surfaces, generations }),
    rootCauses: rootCausesRoute({ surfaces, generations }),
    seal: sealRoute({ surfaces }),
    forget: forgetRoute({ surfaces }),
    alerts: alertsRoute({ surfaces, generations, clock }),
    drain: drainRoute({ replica, drain: () => void serving.close() }),
    live: liveRoute,
    ready: readyRoute({ surfaces, standings, unseen, draining: () => draining }),
    metrics: metricsRoute({ metrics, surfaces }),
    openapi: answerText('application/json', () =>
      JSON.stringify(openApiDocument({ version, url, locks: { key: keys.length > 0, admin: !isAdminOpen({ adminKey, keys, localOnly }) } })),
    ),
    docs: answerText('text/html', () => docsPage({ url })),
  };
  const reporting = keys.length === 0 ? [] : [...keys, ...(options.reporterKeys ?? [])];
  const guards = {
    open: [],
    report: [needsKey({ keys: reporting, adminKey })],
    key: [needsKey({ keys, adminKey })],
    admin: [needsAdmin({ adminKey, keys, localOnly })],
  };
  app.use(prelude({ metrics, newRequestId, draining: () => draining }));
  app.use(noOptions({ allowed: methodsAt }));
  const router = Router();
  for (const [name, route] of Object.entries(routes) as [RouteName, RouteInfo][]) {
    const named: RequestHandler = (_request, response, next) => {
      response.locals.route = route.path;
      next();
    };
    router[route.method](
      route.path,
      named,
      ...guards[route.access],
      ...(route.body === undefined ? [] : [jsonBody({ maxBytes: route.body.maxBytes })]),
      handlers[name],
    );
  }
  app.use(router);
  app.use(notFound({ allowed: methodsAt }));
  app.use(problemResponse({ log }));

  const server = listen();
  answerBrokenRequests(server);
  url = await listenOn(server, { host, port }).catch(async (error) => {
    await watcher.close();
    await closeSurfaces();
    throw error;
  });
  const report = await startReplicaReport({ stateDir, replica, url, pid: process.pid, life: life.id, clock, standings, log });
  reportChanged = report.changed;

  let closing: Promise<void> | undefined;
  const ended = Promise.withResolvers<void>();
  // Whoever closes hears of it too.
  ended.promise.catch(() => undefined);
  async function close(): Promise<void> {
    draining = true;
    // Every answer from now on ends its connection: by the end of the grace hardly any is kept that a caller might be about to use again.
    await delay(options.drainGraceMs ?? 0);
    const drained = new Promise<void>((resolve) => server.close(() => resolve()));
    // A connection that was busy when the end began becomes idle with its answer, and would be kept for the next request.
    const sweep = setInterval(() => server.closeIdleConnections(), 20);
    const impatience = setTimeout(() => server.closeAllConnections(), drainAtMostMs);
    await drained;
    clearInterval(sweep);
    clearTimeout(impatience);
    await watcher.close();
    await closeSurfaces();
    await report.close();
  }
  const serving: Serving = {
    url,
    ended: ended.promise,
    crashModels() {
      for (const surface of surfaces.values()) surface.snapshot.host?.crash();
    },
    close() {
      if (closing === undefined) {
        closing = close();
        closing.then(ended.resolve, ended.reject);
      }
      return closing;
    },
  };
  return serving;
}

function methodsAt(path: string): string[] {
  const methods = routeList
    .filter((route) => new RegExp(`^${route.path.replaceAll(/:\w+/g, '[^/]+')}/?$`).test(path))
    .map((route) => route.method.toUpperCase());
  return methods.includes('GET') ? ['HEAD', ...methods] : methods;
}

function listenOn(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  // Two callers behind one proxy keep connections open for longer than the default of 5 s.
  server.keepAliveTimeout = 30_000;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UnderstudyError('UND-ENVIRONMENT', `Cannot listen on ${host}:${port}: ${error.code ?? error.message}`, { cause: error })),
    );
    server.listen({ host, port }, () => {
      const address = server.address() as AddressInfo;
      const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
      resolve(`http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${address.port}`);
    });
  });
}
