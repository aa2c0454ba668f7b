import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Router } from 'express';
import { createFastExpress } from '../serving/http/fast-express.ts';
import { startServing } from '../serving/server.ts';
import { makeServedState } from '../serving/testing.ts';
import type { LoadOrder, LoadResult } from './serving-load.ts';

export type ServingBench = {
  /**
   * Medians of each route. `ratio` is bare node:http's processor time a request over this route's, in the same run: requests a second of a busy
   * server, free of what the load process could send.
   */
  routes: { name: string; requestsPerSecond: number; cpuMicrosecondsPerRequest: number; ratio: number }[];
  recommend: {
    items: number;
    requestsPerSecond: number;
    cpuMicrosecondsPerRequest: number;
    p50Ms: number;
    p99Ms: number;
    failures: number;
    recordBytes: number;
  };
};

const payload = Buffer.from(JSON.stringify({ items: Array.from({ length: 10 }, (_, position) => ({ itemId: `i${position}`, position })) }));
const headers = { 'content-type': 'application/json', 'content-length': payload.length };

/**
 * The fast Express route against bare node:http and against stock Express, in alternating rounds; then POST /v1/recommend with an iALS artifact. Load
 * comes from a child process.
 */
export async function benchServing({ rounds = 5, requestsPerRound = 20_000, items = 4_000, recommendRequests = 10_000 } = {}): Promise<ServingBench> {
  const child = fork(fileURLToPath(new URL('./serving-load.ts', import.meta.url)), { execArgv: [] });
  try {
    return { routes: await benchRoutes(child, { rounds, requestsPerRound }), recommend: await benchRecommend(child, { items, requests: recommendRequests }) };
  } finally {
    child.disconnect();
  }
}

async function benchRoutes(child: ChildProcess, { rounds, requestsPerRound }: { rounds: number; requestsPerRound: number }): Promise<ServingBench['routes']> {
  const { default: express } = await import('express');
  const fast = createFastExpress();
  fast.app.use(
    Router().get('/', (_request, response) => {
      response.writeHead(200, headers);
      response.end(payload);
    }),
  );
  const stock = express();
  stock.get('/', (_request, response) => {
    response.writeHead(200, headers);
    response.end(payload);
  });
  const servers: [string, Server][] = [
    [
      'node:http',
      createServer((_request, response) => {
        response.writeHead(200, headers);
        response.end(payload);
      }),
    ],
    ['fast Express route', fast.listen()],
    ['stock Express route', createServer(stock)],
  ];
  const rates = new Map<string, { perSecond: number; cpu: number }[]>();
  const urls = await Promise.all(servers.map(([, server]) => listen(server)));
  try {
    for (let round = -1; round < rounds; round += 1) {
      for (const [place, [name]] of servers.entries()) {
        const before = process.cpuUsage();
        const { seconds, failures } = await order(child, {
          url: urls[place] as string,
          bodies: null,
          connections: 16,
          requests: round < 0 ? requestsPerRound / 10 : requestsPerRound,
        });
        if (failures !== 0) throw new Error(`${name}: ${failures} requests failed`);
        const { user, system } = process.cpuUsage(before);
        if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), { perSecond: requestsPerRound / seconds, cpu: (user + system) / requestsPerRound }]);
      }
    }
  } finally {
    for (const [, server] of servers) server.close();
  }
  const medians = [...rates].map(([name, list]) => ({
    name,
    requestsPerSecond: quantile(
      list.map(({ perSecond }) => perSecond),
      0.5,
    ),
    cpuMicrosecondsPerRequest: quantile(
      list.map(({ cpu }) => cpu),
      0.5,
    ),
  }));
  const bare = medians[0]?.cpuMicrosecondsPerRequest ?? Number.NaN;
  return medians.map((route) => ({ ...route, ratio: bare / route.cpuMicrosecondsPerRequest }));
}

async function benchRecommend(child: ChildProcess, { items, requests }: { items: number; requests: number }): Promise<ServingBench['recommend']> {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-bench-'));
  try {
    const state = await makeServedState({ stateDir, itemCount: items, userCount: 2_000 });
    await state.publish({ champion: await state.train('ials', { factors: 32, sweeps: 2 }) });
    const serving = await startServing({ stateDir, port: 0, replica: 'bench', keys: [], adminKey: null, clock: Date.now, log: () => undefined, seed: 1 });
    const bodies = Array.from({ length: 500 }, (_, visitor) =>
      JSON.stringify({
        surface: 'home',
        userId: `u${visitor}`,
        context: {
          history: Array.from({ length: 1 + (visitor % 20) }, (_, place) => ({ itemId: state.itemIds[(visitor * 7 + place * 3) % items], kind: 'purchase' })),
        },
      }),
    );
    const url = `${serving.url}/v1/recommend`;
    await order(child, { url, bodies, connections: 8, requests: Math.ceil(requests / 10) });
    const cpuBefore = process.cpuUsage();
    const { seconds, latenciesMs, failures } = await order(child, { url, bodies, connections: 8, requests });
    const cpu = process.cpuUsage(cpuBefore);
    const { body } = {
      body: (await (
        await fetch(`${serving.url}/v1/admin/seal`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"surface":"home"}' })
      ).json()) as { slates: { bytes: number; records: number } },
    };
    await serving.close();
    return {
      items,
      requestsPerSecond: requests / seconds,
      cpuMicrosecondsPerRequest: (cpu.user + cpu.system) / requests,
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
      failures,
      recordBytes: body.slates.bytes / body.slates.records,
    };
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}

function order(child: ChildProcess, what: LoadOrder): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as LoadResult);
    });
    const ended = () => reject(new Error('The load process ended'));
    child.once('exit', ended);
    child.send(what);
  });
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** The result as lines for a terminal. */
export function printServingBench({ routes, recommend }: ServingBench): string {
  const lines = routes.map(
    ({ name, requestsPerSecond, cpuMicrosecondsPerRequest, ratio }) =>
      `${name.padEnd(24)} ${requestsPerSecond.toFixed(0).padStart(7)} requests/s   ${cpuMicrosecondsPerRequest.toFixed(1)} us of CPU a request   ${ratio.toFixed(2)} of node:http`,
  );
  lines.push(
    `POST /v1/recommend       ${recommend.requestsPerSecond.toFixed(0).padStart(7)} requests/s   p50 ${recommend.p50Ms.toFixed(2)} ms, p99 ${recommend.p99Ms.toFixed(2)} ms, ` +
      `${recommend.cpuMicrosecondsPerRequest.toFixed(0)} us of CPU a request, ${recommend.recordBytes.toFixed(0)} bytes a record, ${recommend.failures} failures (iALS, ${recommend.items} items)`,
  );
  return lines.join('\n');
}

if (import.meta.main) process.stdout.write(`${printServingBench(await benchServing())}\n`);
