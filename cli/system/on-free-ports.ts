import { UnderstudyError } from '../../models/contracts/problem.ts';
import { freePort, isPortFree } from './ports.ts';
import type { Child } from './start-child.ts';

/** Ports promised in this process to servers that do not listen yet. */
const promised = new Set<number>();

/**
 * Starts a server on the wanted ports, each moved up when it is taken. Between the look and the start another program may be faster:
 * then the server ends at once, and the next ports are tried.
 * @param wanted 0 for any port
 */
export async function onFreePorts<T extends Child>(wanted: readonly number[], start: (ports: number[]) => Promise<T>): Promise<{ child: T; ports: number[] }> {
  for (let attempt = 1; ; attempt += 1) {
    const ports: number[] = [];
    for (const port of wanted) {
      const free = await freePort(port, promised);
      promised.add(free);
      ports.push(free);
    }
    try {
      return { child: await start(ports), ports };
    } catch (error) {
      if (attempt === 5 || !(error instanceof UnderstudyError)) throw error;
      // Whoever took it may have let it go since (the near end of a connection out does): then only the server's own word tells.
      const lost = /address already in use|EADDRINUSE/i.test(error.message) || (await Promise.all(ports.map(isPortFree))).some((free) => !free);
      if (!lost) throw error;
    } finally {
      for (const port of ports) promised.delete(port);
    }
  }
}
