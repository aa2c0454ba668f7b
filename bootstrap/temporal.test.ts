import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureTemporal, findTemporal } from './temporal.mjs';
import { answersAsTemporal, bareMachine, makesTemporal, writeProgram } from './testing.ts';

type Machine = ReturnType<typeof bareMachine>;

const ensure = (machine: Machine) => ensureTemporal({ ...machine.setup, dependencies: Promise.resolve() });
const cached = (machine: Machine) => join(machine.cache, 'temporal', 'temporal');
const goBuilds = (machine: Machine) => machine.program('go', `${makesTemporal}\nmake "$GOBIN/temporal"`);
/** The SDK's download is run by the clone's own Node. */
const sdk = (machine: Machine, script: string) => writeProgram(join(machine.root, 'node_modules', '.bin', 'node'), `echo "sdk" >> "$CALLS"\n${script}`);
const sdkFails = (machine: Machine) => sdk(machine, 'echo "Error: connect ECONNREFUSED temporal.download" >&2; exit 1');

describe('the search for Temporal', () => {
  it('takes the one on PATH before the cache, and asks it only once', async () => {
    const machine = bareMachine();
    const path = machine.program('temporal', answersAsTemporal);
    writeProgram(cached(machine), answersAsTemporal);
    expect(await ensure(machine)).toBe(path);
    const asked = machine.calls().length;
    expect(asked).toBeGreaterThan(0);
    expect(await ensure(machine)).toBe(path);
    expect(findTemporal(machine)).toBe(path);
    expect(machine.calls()).toHaveLength(asked);
  });

  it('prefers one that is put on PATH later', async () => {
    const machine = bareMachine();
    writeProgram(cached(machine), answersAsTemporal);
    expect(await ensure(machine)).toBe(cached(machine));
    const path = machine.program('temporal', answersAsTemporal);
    expect(await ensure(machine)).toBe(path);
  });

  it.each([
    ['does not run', 'exit 3'],
    ['is another program of that name', 'echo "hello"'],
    ['is too old', 'case "$1" in --version) echo "temporal version 0.1";; *) echo "--port";; esac'],
  ])('passes over one on PATH that %s', async (_what, script) => {
    const machine = bareMachine();
    machine.program('temporal', script);
    writeProgram(cached(machine), answersAsTemporal);
    expect(await ensure(machine)).toBe(cached(machine));
    expect(findTemporal(machine)).toBe(cached(machine));
  });

  it('then has the SDK download it, and keeps what answers', async () => {
    const machine = bareMachine();
    sdk(machine, `${makesTemporal}\nmake "$2/temporal-sdk-typescript-1"`);
    goBuilds(machine);
    expect(await ensure(machine)).toBe(cached(machine));
    expect(machine.calls()).toEqual(['sdk']);
    expect(readdirSync(join(machine.cache, 'temporal'))).toEqual(['temporal']);
  });

  it('then builds it with Go, at the pinned version', async () => {
    const machine = bareMachine();
    sdkFails(machine);
    goBuilds(machine);
    expect(await ensure(machine)).toBe(cached(machine));
    expect(machine.calls()).toEqual(['sdk', expect.stringMatching(/^go install github.com\/temporalio\/cli\/cmd\/temporal@v\d/)]);
  });

  it('does not keep a download that does not answer', async () => {
    const machine = bareMachine();
    sdk(machine, `printf '#!/bin/sh\\nexit 1\\n' > "$2/temporal-sdk"; /bin/chmod +x "$2/temporal-sdk"`);
    goBuilds(machine);
    expect(await ensure(machine)).toBe(cached(machine));
    expect(machine.calls()).toHaveLength(2);
  });

  it('names every way and why it did not do, when there is none', async () => {
    const machine = bareMachine();
    machine.program('temporal', 'exit 3');
    sdkFails(machine);
    const error = await ensure(machine).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'UND-TEMPORAL' });
    const { message, remedy } = error as { message: string; remedy: string };
    for (const part of [`${machine.bin}/temporal`, 'ECONNREFUSED', 'Go is not installed']) expect(message).toContain(part);
    for (const part of ['TEMPORAL_ADDRESS', 'PATH', 'download', 'go install']) expect(remedy).toContain(part);
    expect(readdirSync(join(machine.cache, 'temporal'))).toEqual([]);
  });

  it('keeps nothing half done of a build that was interrupted, and cleans up after it', async () => {
    const machine = bareMachine();
    sdkFails(machine);
    // As a killed build leaves it.
    mkdirSync(join(machine.cache, 'temporal', 'building.1'), { recursive: true });
    writeProgram(join(machine.cache, 'temporal', 'building.1', 'temporal'), 'exit 1');
    expect(findTemporal(machine)).toBeUndefined();
    machine.program('go', 'echo half > "$GOBIN/temporal"; echo "signal: killed" >&2; exit 1');
    await expect(ensure(machine)).rejects.toMatchObject({ code: 'UND-TEMPORAL' });
    expect(existsSync(cached(machine))).toBe(false);
    goBuilds(machine);
    expect(await ensure(machine)).toBe(cached(machine));
    expect(readFileSync(cached(machine), 'utf8')).toContain('temporal version');
    expect(readdirSync(join(machine.cache, 'temporal'))).toEqual(['temporal']);
  });

  it('is searched for once when two starts look at the same time', async () => {
    const machine = bareMachine();
    sdkFails(machine);
    goBuilds(machine);
    expect(await Promise.all([ensure(machine), ensure(machine)])).toEqual([cached(machine), cached(machine)]);
    expect(machine.calls().filter((call) => call.startsWith('go'))).toHaveLength(1);
  });
});
