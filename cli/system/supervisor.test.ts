import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from './processes.ts';
import { claimStateDirectory } from './supervisor.ts';

function place() {
  const stateDir = mkdtempSync(join(tmpdir(), 'understudy-claim-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  const said: string[] = [];
  return { stateDir, runDir: join(stateDir, 'run'), said, say: (line: string) => void said.push(line) };
}

/** Another start: a parent, as the bootstrap is, and under it the process that claims the directory. */
async function anotherStart({ stateDir, runDir }: { stateDir: string; runDir: string }) {
  const claims = `
    import { claimStateDirectory } from ${JSON.stringify(new URL('supervisor.ts', import.meta.url).href)};
    await claimStateDirectory({ stateDir: ${JSON.stringify(stateDir)}, runDir: ${JSON.stringify(runDir)}, say: () => {} });
    console.log(process.pid);
    setInterval(() => {}, 1000);`;
  const script = `require('node:child_process').spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(claims)}], { stdio: 'inherit' })`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (chunk) => resolve(Number(chunk))));
  onTestFinished(() => {
    for (const one of [parent.pid ?? 0, pid]) if (isAlive(one)) process.kill(one, 'SIGKILL');
  });
  const ended = new Promise((resolve) => parent.once('exit', resolve));
  const killParent = async () => {
    parent.kill('SIGKILL');
    await ended;
  };
  return { pid, killParent };
}

describe('the claim on a state directory', () => {
  it('is refused while another start holds it, and given back at its end', async () => {
    const here = place();
    const other = await anotherStart(here);
    await expect(claimStateDirectory(here)).rejects.toMatchObject({ code: 'UND-SETUP', message: expect.stringContaining(`process ${other.pid}`) });
    process.kill(other.pid, 'SIGKILL');
    await expect.poll(() => isAlive(other.pid), { timeout: 5_000 }).toBe(false);
    const release = await claimStateDirectory(here);
    expect(here.said).toEqual([]);
    release();
    expect(existsSync(join(here.runDir, 'supervisor.json'))).toBe(false);
  });

  it('is taken from an orphan, which is stopped', async () => {
    const here = place();
    const other = await anotherStart(here);
    await other.killParent();
    const release = await claimStateDirectory(here);
    expect(isAlive(other.pid)).toBe(false);
    expect(here.said).toEqual([`stopping the system that a killed start left (process ${other.pid})`]);
    release();
  });

  it('is not held by a file that was cut short, nor by another program with the same process id', async () => {
    const here = place();
    (await claimStateDirectory(here))();
    for (const text of ['{"pid":', JSON.stringify({ pid: process.ppid, parent: 1, commandLine: 'another program' })]) {
      writeFileSync(join(here.runDir, 'supervisor.json'), text);
      (await claimStateDirectory(here))();
      expect(isAlive(process.ppid)).toBe(true);
    }
  });
});
