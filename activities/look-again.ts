import { setTimeout as delay } from 'node:timers/promises';

/** A look at a folder that others write to, again and again. `close` resolves when the look that is under way is over. */
export type Watching = { close(): Promise<void> };

/** Looks every so often. What keeps it from looking is said once, however long it lasts. */
export function lookAgain(
  everyMs: number,
  { look, log, what }: { look: (signal: AbortSignal) => Promise<void>; log: (line: string) => void; what: string },
): Watching {
  const ending = new AbortController();
  let trouble = '';
  async function watch(): Promise<void> {
    while (!ending.signal.aborted) {
      const found = await look(ending.signal).then(
        () => '',
        (error: unknown) => `${what}: ${error instanceof Error ? error.message : error}`,
      );
      if (found !== trouble && found !== '') log(found);
      trouble = found;
      await delay(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  }
  const watching = watch();
  return {
    close: () => {
      ending.abort();
      return watching;
    },
  };
}
