import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { onFreePorts } from './on-free-ports.ts';
import { runDirectory, stopLeftovers } from './pid-file.ts';
import { freePort, isPortFree } from './ports.ts';
import { isAlive } from './processes.ts';
import { answers } from './start-servers.ts';
import { type ChildOptions, startChild } from './start-child.ts';

function bench() {
  const stateDir = mkdtempSync(join(tmpdir(), 'understudy-child-'));
  const runDir = runDirectory(stateDir);
  mkdirSync(runDir);
  onTestFinished(async () => {
    await stopLeftovers({ runDir, graceMs: 100 });
    rmSync(stateDir, { recursive: true, force: true });
  });
  const options = (script: string, more: Partial<ChildOptions> = {}): ChildOptions => ({
    name: 'child',
    command: process.execPath,
    args: ['-e', script],
    env: { ...process.env, STATE: stateDir },
    logFile: join(runDir, 'child.log'),
    runDir,
    ready: { line: (text) => (text.startsWith('ready ') ? text.slice(6) : undefined) },
    graceMs: 5_000,
    ...more,
  });
  return { stateDir, runDir, options, log: () => readFileSync(join(runDir, 'child.log'), 'utf8') };
}

const stays = "console.log('ready http://here'); setInterval(() => {}, 1000);";
const poll = (what: () => unknown) => expect.poll(what, { timeout: 15_000, interval: 20 });

describe('a child', () => {
  it('is ready when it says so, in a group of its own, and ends in order', async () => {
    const { options, log, runDir } = bench();
    const child = await startChild(options(`process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); ${stays}`));
    const pid = child.pid() ?? 0;
    expect(child.url).toBe('http://here');
    expect(isAlive(-pid)).toBe(true);
    expect(JSON.parse(readFileSync(join(runDir, 'child.pid.json'), 'utf8'))).toMatchObject({ name: 'child', pid });
    await child.stop();
    expect(log()).toContain('bye');
    expect(isAlive(pid)).toBe(false);
    expect(child.pid()).toBeUndefined();
    expect(existsSync(join(runDir, 'child.pid.json'))).toBe(false);
  });

  it('is ready when it answers', async () => {
    const { options } = bench();
    const { child, ports } = await onFreePorts([0], ([port]) =>
      startChild(
        options(`setTimeout(() => require('node:http').createServer((q, r) => r.end('ok')).listen(${port}, '127.0.0.1'), 50)`, {
          ready: { probe: () => answers(`http://127.0.0.1:${port}/`, { timeoutMs: 500 }) },
        }),
      ),
    );
    expect(await isPortFree(ports[0] ?? 0)).toBe(false);
    await child.stop();
    expect(await isPortFree(ports[0] ?? 0)).toBe(true);
  });

  it.each([
    ['ends first', "console.error('no such database'); process.exit(3)", {}, /exit code 3.*no such database/s],
    ['stays silent', 'setInterval(() => {}, 1000)', { readyMs: 200 }, /not ready after/],
    ['is not there', '', { command: '/no/such/program' }, /cannot be started.*ENOENT/],
  ])('that %s before it is ready is a coded error that says why, and is gone', async (_what, script, more, message) => {
    const { options, runDir } = bench();
    await expect(startChild(options(script, { code: 'UND-MLFLOW', ...more }))).rejects.toMatchObject({
      code: 'UND-MLFLOW',
      message: expect.stringMatching(message),
    });
    expect(existsSync(join(runDir, 'child.pid.json'))).toBe(false);
  });

  it('that dies is started again, each time it dies', async () => {
    const { options } = bench();
    const ends: string[] = [];
    const child = await startChild(options(stays, { restart: true, onExit: ({ signal }) => void ends.push(String(signal)) }));
    for (const round of [1, 2]) {
      const before = child.pid() ?? 0;
      process.kill(before, 'SIGKILL');
      await poll(() => child.restarts()).toBe(round);
      await poll(() => child.pid()).not.toBe(before);
    }
    expect(ends).toEqual(['SIGKILL', 'SIGKILL']);
    const last = child.pid() ?? 0;
    await child.stop();
    expect(isAlive(last)).toBe(false);
    expect(child.restarts()).toBe(2);
  });

  it('that dies without restart stays down, and somebody is told', async () => {
    const { options } = bench();
    const ends: number[] = [];
    const child = await startChild(options(`process.on('SIGHUP', () => process.exit(4)); ${stays}`, { onExit: ({ code }) => void ends.push(code ?? -1) }));
    process.kill(child.pid() ?? 0, 'SIGHUP');
    await poll(() => ends).toEqual([4]);
    await child.stop();
    expect(child.restarts()).toBe(0);
  });

  it('can be stopped while it waits to be started again', async () => {
    const { options } = bench();
    const child = await startChild(options(stays, { restart: true }));
    process.kill(child.pid() ?? 0, 'SIGKILL');
    await poll(() => child.pid()).toBeUndefined();
    await child.stop();
    expect(child.pid()).toBeUndefined();
  });

  it('that will not end is killed after its grace, with what it started itself', async () => {
    const { options, log } = bench();
    const grandchild = `const c = require('node:child_process').spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"]); console.log('grandchild ' + c.pid);`;
    const child = await startChild(options(`process.on('SIGTERM', () => {}); ${grandchild} ${stays}`, { graceMs: 200 }));
    const pids = [child.pid() ?? 0, Number(/grandchild (\d+)/.exec(log())?.[1])];
    await child.stop();
    await poll(() => pids.map(isAlive)).toEqual([false, false]);
  });
});

describe('what a killed supervisor left', () => {
  it('is stopped at the next start', async () => {
    const { options, runDir, log } = bench();
    const child = await startChild(options(`process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); ${stays}`));
    const pid = child.pid() ?? 0;
    // The next start knows only the file.
    expect(await stopLeftovers({ runDir })).toEqual(['child']);
    expect(isAlive(pid)).toBe(false);
    expect(log()).toContain('bye');
    expect(await stopLeftovers({ runDir })).toEqual([]);
  });

  it("is left alone when the process id is another program's by now", async () => {
    const { options, runDir } = bench();
    const child = await startChild(options(stays));
    const path = join(runDir, 'child.pid.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), commandLine: 'server start-dev' }));
    expect(await stopLeftovers({ runDir })).toEqual([]);
    expect(isAlive(child.pid() ?? 0)).toBe(true);
    await child.stop();
  });

  it('does not stumble over a file that was cut short', async () => {
    const { runDir } = bench();
    writeFileSync(join(runDir, 'child.pid.json'), '{"name":');
    expect(await stopLeftovers({ runDir })).toEqual([]);
  });
});

describe('ports', () => {
  it('move up when they are taken or promised', async () => {
    const first = await freePort(0);
    const server = createServer().listen({ port: first, host: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const next = await freePort(first);
      expect(next).toBeGreaterThan(first);
      expect(await freePort(first, new Set([next]))).toBeGreaterThan(next);
    } finally {
      server.close();
    }
  });

  it('are tried again when another program was faster, and two servers at once get two', async () => {
    const { options } = bench();
    let thief: ReturnType<typeof createServer> | undefined;
    const listens = (port = 0) => `require('node:http').createServer().listen(${port}, '127.0.0.1', () => console.log('ready ' + ${port}))`;
    const from = await freePort(0);
    const { child, ports } = await onFreePorts([from], async ([port]) => {
      if (thief === undefined) {
        thief = createServer().listen({ port, host: '127.0.0.1' });
        await new Promise((resolve) => thief?.once('listening', resolve));
      }
      return startChild(options(listens(port)));
    });
    expect(ports[0]).not.toBe(from);
    await child.stop();
    thief?.close();
    const started = await Promise.all(['a', 'b'].map((name) => onFreePorts([from], ([port]) => startChild(options(listens(port), { name })))));
    expect(new Set(started.map((one) => one.ports[0])).size).toBe(2);
    for (const one of started) await one.child.stop();
  });

  it('are tried again when whoever took them has let them go', async () => {
    const { options } = bench();
    const listens = (port = 0) => `require('node:http').createServer().listen(${port}, '127.0.0.1', () => console.log('ready ' + ${port}))`;
    let attempts = 0;
    const { child } = await onFreePorts([0], async ([port]) => {
      attempts += 1;
      if (attempts > 1) return startChild(options(listens(port)));
      const thief = createServer().listen({ port, host: '127.0.0.1' });
      await new Promise((resolve) => thief.once('listening', resolve));
      return startChild(options(listens(port))).finally(() => new Promise((resolve) => thief.close(resolve)));
    });
    expect(attempts).toBe(2);
    await child.stop();
  });
});
