import { createServer } from 'node:net';

/** The defaults; each moves up when it is taken. 0 asks the system for any. */
export const defaultPorts = { serving: 4600, temporal: 7233, temporalUi: 8233, mlflow: 5600 } as const;

const host = '127.0.0.1';

/** Listens for a moment to see. */
export function isPortFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  );
}

/**
 * The first free port at or above `from` on loopback; any free one for 0.
 * @param taken ports promised to others that do not listen yet
 */
export async function freePort(from: number, taken: ReadonlySet<number> = new Set()): Promise<number> {
  if (from === 0) {
    const port = await listenOnce(0);
    return taken.has(port) ? freePort(0, taken) : port;
  }
  for (let port = from; port < Math.min(from + 1_000, 65_536); port += 1) if (!taken.has(port) && (await isPortFree(port))) return port;
  return freePort(0, taken);
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
