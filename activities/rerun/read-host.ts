import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, endianness } from 'node:os';
import { z } from 'zod';
import { withDuck } from '../events/duckdb.ts';

/** What of a machine, and of how a process runs on it, could change a number. */
export const host = z.strictObject({
  cpu: z.string(),
  /** Instructions for vectors; by them libraries choose their kernels. Empty where the system does not list them. */
  vectors: z.array(z.string()),
  architecture: z.string(),
  platform: z.string(),
  endianness: z.string(),
  cores: z.number().int(),
  duckdbThreads: z.number().int(),
  timeZone: z.string(),
  locale: z.string(),
  /** Of what a GPU trained: its name, and the version of the package through which it did. */
  gpu: z.string().optional(),
});
export type Host = z.infer<typeof host>;

const vectors = /^(sse4_[12]|f16c|fma|avx\w*|amx\w*|neon|asimd\w*|sve\w*)$/;

export async function readHost(): Promise<Host> {
  const listed = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(listed)?.[1] ?? '';
  const [duck] = await withDuck({ workDir: undefined }, (one) => one.rows<{ threads: number }>("SELECT current_setting('threads')::INTEGER AS threads"));
  const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    vectors: [...new Set(flags.split(/\s+/).filter((flag) => vectors.test(flag)))].sort(),
    architecture: process.arch,
    platform: process.platform,
    endianness: endianness(),
    cores: availableParallelism(),
    duckdbThreads: duck?.threads ?? 0,
    timeZone,
    locale,
  };
}
