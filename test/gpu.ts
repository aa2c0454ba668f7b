import { cacheDirectory } from '../bootstrap/paths.mjs';
import { ensureSwiftshader } from '../bootstrap/swiftshader.mjs';

/** The GPU in software is there before a test's process is started with it. */
export default async function setup(): Promise<void> {
  const { env } = process;
  await ensureSwiftshader({ cache: cacheDirectory(env), env });
}
