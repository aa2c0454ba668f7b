import { join } from 'node:path';
import type { LogCursor, LogFollower } from './event-log.ts';
import type { Life } from './life.ts';
import { linesFrom } from './log-lines.ts';
import { parseFile, sealedSuffix, segmentFiles } from './log-recovery.ts';

/**
 * Follows what others write into a log, from a cursor on. Segments that are sealed and read are never opened again, so a look costs no more for a log
 * that has grown for years.
 */
export function followLog({
  directory,
  cursor,
  life,
  maxBytes = 512 * 1024,
}: {
  directory: string;
  cursor: LogCursor;
  life: Pick<Life, 'id'>;
  maxBytes?: number;
}): LogFollower {
  const read: Record<string, number> = { ...cursor };
  const finished = new Set<string>();
  return {
    async look(take) {
      let failure: unknown;
      for (const { file, name, open } of await segmentFiles(directory)) {
        if (finished.has(name)) continue;
        const key = name + sealedSuffix;
        if (parseFile(key)?.life === life.id) {
          if (!open) finished.add(name);
          continue;
        }
        try {
          for (let more = true; more; ) {
            const { lines, next, size } = await linesFrom({ path: join(directory, file), renamed: join(directory, key), from: read[key] ?? 0, maxBytes });
            for (const line of lines) take(line);
            read[key] = next;
            more = lines.length > 0 && next < size;
            if (!open && next >= size) finished.add(name);
          }
        } catch (error) {
          // Taken over or sealed in this moment: the next look finds it under its new name.
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
    },
  };
}
