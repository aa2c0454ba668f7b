import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

type Told = { path: string; key: string; body: { text?: string } & Record<string, unknown> };

/** Someone who is told: refuses so many calls first, as one that is down. */
export async function openReceiver({
  refusals = 0,
  silent = () => false,
}: {
  refusals?: number;
  silent?: () => boolean;
} = {}): Promise<{ url: string; told: Told[]; calls: () => number }> {
  const told: Told[] = [];
  let calls = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      calls += 1;
      // Heard, and not answered: whoever asks does not know.
      if (silent()) return;
      const taken = calls > refusals;
      const body = JSON.parse(Buffer.concat(parts).toString());
      if (taken) told.push({ path: request.url ?? '', key: String(request.headers['idempotency-key']), body });
      response.writeHead(taken ? 200 : 503).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, told, calls: () => calls };
}
