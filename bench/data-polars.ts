import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const polarsRequirement = 'polars==2.1.0';
const script = fileURLToPath(new URL('./polars_data.py', import.meta.url));

export type PolarsResult = {
  version: string;
  seconds: Record<'ingest' | 'sessionize' | 'split' | 'rotate', number>;
  cpuSeconds: Record<'ingest' | 'sessionize' | 'split' | 'rotate', number>;
  counts: Record<'input' | 'accepted' | 'aside' | 'duplicates', number>;
  sessions: number;
  interactions: number;
  maxMemoryMb: number;
};

/** The same steps over the same files. @returns undefined where it failed, for want of memory for one */
export function runPolars({ python, folder, out }: { python: string; folder: string; out: string }): PolarsResult | undefined {
  rmSync(out, { recursive: true, force: true });
  const { status, stdout } = spawnSync(python, [script, folder, out], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return status === 0 ? (JSON.parse(stdout) as PolarsResult) : undefined;
}
