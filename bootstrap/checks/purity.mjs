import { isForTests, lineAt, sourceFiles } from './source-files.mjs';

/**
 * What may not stand where. `except` are files with the reason why they may.
 * @type {{ where: RegExp, what: RegExp, why: string, except: Record<string, string> }[]}
 */
export const purity = [
  {
    where: /^(models|experiments)\//,
    what: /from ['"]node:(?!crypto['"])[a-z/]+['"]|\bDate\.now\(\)|\bMath\.random\(\)|\bfetch\(/,
    why: 'models and experiments are pure: pass the bytes, the clock or the randomness in (node:crypto, for digests, is pure too)',
    except: {
      'models/kernels/team.ts': 'threads that compute: what comes out does not depend on how many there are',
      'models/kernels/team-worker.ts': 'the same',
      'models/kernels/build.mjs': 'compiles the kernels; nothing of it runs with them',
    },
  },
  {
    where: /\.(ts|mjs)$/,
    what: /\bprocess\.env\b/,
    why: 'the environment is read in composition roots only: pass what is needed',
    except: {
      'activities/main.ts': 'composition root of the workers',
      'activities/rerun/work-of.ts': 'composition root of a rerun by the code of then',
      'serving/main.ts': 'composition root of the serving tier',
      'cli/understudy.ts': 'composition root of the command line',
      'bootstrap/run.mjs': 'composition root of the bootstrap',
      'bootstrap/child.mjs': 'what a command inherits, unless the caller says otherwise',
      'cli/system/start-system.ts': 'what children inherit, unless the caller says otherwise',
    },
  },
  {
    where: /\.ts$/,
    what: /\.(skip|only|todo)\(|\b(TODO|FIXME)\b/,
    why: 'a test that skips itself proves nothing, and what is to be done is an issue',
    except: {},
  },
];

/** @param {string} root @returns {string[]} */
export function checkPurity(root) {
  return sourceFiles(root, ['.ts', '.mjs']).flatMap(({ path, text }) =>
    purity.flatMap(({ where, what, why, except }) => {
      if (!where.test(path) || path in except || path.startsWith('bootstrap/checks/')) return [];
      if (isForTests(path) && !what.source.includes('skip')) return [];
      const found = what.exec(text);
      return found === null ? [] : [`${path}:${lineAt(text, found.index)} has ${found[0]}: ${why}`];
    }),
  );
}
