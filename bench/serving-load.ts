import { connect, type Socket } from 'node:net';

/*
 * A child process that loads one URL over keep-alive connections and sends back its latencies. Its client is as thin as it can be (raw sockets, answers
 * with a Content-Length), so that the server is what is measured.
 */

export type LoadOrder = { url: string; bodies: string[] | null; connections: number; requests: number };
export type LoadResult = { seconds: number; latenciesMs: number[]; failures: number };

const headEnd = Buffer.from('\r\n\r\n');

export function load({ url, bodies, connections, requests }: LoadOrder): Promise<LoadResult> {
  const { hostname, port, pathname, host } = new URL(url);
  const payloads = (bodies ?? ['']).map((body) =>
    Buffer.from(
      bodies === null
        ? `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
        : `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  );
  const latenciesMs: number[] = [];
  let sent = 0;
  let failures = 0;
  const startedAt = performance.now();

  const drive = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0;
      let received: Buffer = Buffer.alloc(0);
      const next = (): void => {
        if (sent >= requests) {
          socket.destroy();
          resolve();
          return;
        }
        sentAt = performance.now();
        socket.write(payloads[sent % payloads.length] as Buffer);
        sent += 1;
      };
      socket.on('connect', next);
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const head = received.indexOf(headEnd);
        if (head < 0) return;
        const headers = received.toString('latin1', 0, head);
        const length = Number(/content-length: (\d+)/i.exec(headers)?.[1] ?? 0);
        if (received.length < head + 4 + length) return;
        received = received.subarray(head + 4 + length);
        latenciesMs.push(performance.now() - sentAt);
        if (!headers.startsWith('HTTP/1.1 200')) failures += 1;
        next();
      });
    });
  const sockets = Array.from({ length: connections }, () => drive(connect({ host: hostname, port: Number(port), noDelay: true })));
  return Promise.all(sockets).then(() => ({ seconds: (performance.now() - startedAt) / 1000, latenciesMs, failures }));
}

if (process.send !== undefined) {
  process.on('message', (order: LoadOrder) => {
    load(order).then(
      (result) => process.send?.(result),
      (error) => process.send?.({ seconds: Number.NaN, latenciesMs: [], failures: -1, error: String(error) }),
    );
  });
}
