import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from '../../bootstrap/paths.mjs';
import { ensureRedis } from '../../bootstrap/redis.mjs';

/** The server that UNDERSTUDY_TEST_REDIS_URL names, or one of its own on a free port of loopback, which `stop` ends. */
export async function startRedis(): Promise<{ url: string; stop: () => Promise<void> }> {
  const { env } = process;
  if (env.UNDERSTUDY_TEST_REDIS_URL) return { url: env.UNDERSTUDY_TEST_REDIS_URL, stop: async () => undefined };
  const server = await ensureRedis({ cache: cacheDirectory(env), env });
  const directory = await mkdtemp(join(tmpdir(), 'understudy-redis-'));
  // Somebody may take the port between the look and the start.
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    const child = spawn(server, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    if (await saysReady(child.stdout)) {
      process.once('exit', () => child.kill('SIGKILL'));
      const stop = async () => {
        child.kill('SIGKILL');
        await ended;
        await rm(directory, { recursive: true, force: true });
      };
      return { url: `redis://127.0.0.1:${port}`, stop };
    }
    child.kill('SIGKILL');
    await ended;
    if (tries === 5) throw new Error(`${server} does not start; see what it said above`);
  }
}

async function saysReady(output: AsyncIterable<Buffer>): Promise<boolean> {
  let said = '';
  for await (const chunk of output) {
    said += chunk.toString('utf8');
    if (/ready to accept connections/i.test(said)) return true;
  }
  process.stderr.write(said);
  return false;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
