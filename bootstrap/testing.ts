import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { Progress } from './progress.mjs';

/** A machine of its own for a test: a cache, a PATH with only what the test puts there, a clone's root. Gone after the test. */
export function bareMachine() {
  const home = mkdtempSync(join(tmpdir(), 'understudy-bootstrap-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const bin = join(home, 'bin');
  const root = join(home, 'clone');
  const cache = join(home, 'cache');
  for (const directory of [bin, root, cache]) mkdirSync(directory);
  const said: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      said.push(String(chunk));
      done();
    },
  });
  const progress = new Progress({ stream: stream as NodeJS.WriteStream });
  onTestFinished(() => progress.stop());
  const env: NodeJS.ProcessEnv = { PATH: bin, HOME: home, CALLS: join(home, 'calls') };
  return {
    home,
    bin,
    root,
    cache,
    env,
    said,
    setup: { root, cache, env, progress },
    /** A program of PATH, as a shell script that notes each call. */
    program: (name: string, script: string) => writeProgram(join(bin, name), `echo "${name} $*" >> "$CALLS"\n${script}`),
    /** What was called, oldest first. */
    calls: (): string[] => {
      try {
        return readFileSync(join(home, 'calls'), 'utf8').trim().split('\n');
      } catch {
        return [];
      }
    },
  };
}

export function writeProgram(path: string, script: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Answers as the Temporal CLI does when it is asked what it is. */
export const answersAsTemporal = 'case "$1" in --version) echo "temporal version 1.5.1";; *) echo "--db-filename --ui-port --search-attribute";; esac';

/** A shell script that writes another program: `$1` of the function is its path. */
export const makesTemporal = `make() { printf '#!/bin/sh\\n%s\\n' '${answersAsTemporal}' > "$1"; /bin/chmod +x "$1"; }`;
