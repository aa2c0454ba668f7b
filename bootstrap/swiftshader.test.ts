import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureSwiftshader, swiftshaderFolder } from './swiftshader.mjs';
import { bareMachine } from './testing.ts';

type Machine = ReturnType<typeof bareMachine>;

/** An npm that leaves an archive which is none where the package has one. */
const npm = (machine: Machine, { finds = true } = {}) =>
  machine.program(
    'npm',
    finds
      ? 'while [ $# -gt 0 ]; do [ "$1" = --prefix ] && at=$2/node_modules/@sparticuz/chromium/bin; shift; done; /bin/mkdir -p "$at"; printf "\\073" > "$at/swiftshader.tar.br"'
      : 'echo "npm error 404 Not Found"; exit 1',
  );

describe('a GPU in software', () => {
  it('that is there is taken, and nothing installed', async () => {
    const machine = bareMachine();
    npm(machine);
    const folder = swiftshaderFolder(machine);
    mkdirSync(join(folder, 'libvulkan.so.1'), { recursive: true });
    expect(await ensureSwiftshader(machine)).toBe(folder);
    expect(machine.calls()).toEqual([]);
  });

  it.each([
    ['there is no package registry', false, '404 Not Found'],
    ['the package holds something else', true, 'does not hold what it held'],
  ])('says why, and keeps nothing, when %s', async (_what, finds, part) => {
    const machine = bareMachine();
    npm(machine, { finds });
    await expect(ensureSwiftshader(machine)).rejects.toMatchObject({ code: 'UND-SETUP', message: expect.stringContaining(part) });
    expect(existsSync(swiftshaderFolder(machine))).toBe(false);
    expect(readdirSync(join(machine.cache, 'swiftshader'))).toEqual([]);
    expect(machine.calls().find((call) => call.startsWith('npm install'))).toMatch(/--ignore-scripts .*@sparticuz\/chromium@[\d.]+$/);
  });
});
