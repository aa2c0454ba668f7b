import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, digestBytes } from '../models/contracts/digest.ts';
import { type LedgerExport, ledgerExport } from '../models/contracts/ledger-checkpoint.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { LedgerCopy } from './verify-ledger.ts';

const fileName = /^\d{8}\.json$/;

/** The ledger of a surface as it lies in a state directory, or in a copy of one, byte by byte. @throws UND-UNKNOWN-SURFACE */
export async function ledgerInState({ stateDir, surface }: { stateDir: string; surface: string }): Promise<LedgerCopy> {
  const records = await textsIn(join(stateDir, 'series', 'ledger', surface));
  if (records.length === 0) throw new UnderstudyError('UND-UNKNOWN-SURFACE', `${stateDir} has no ledger of ${surface}`);
  return { surface, records, checkpoints: await textsIn(join(stateDir, 'series', 'ledger-checkpoint', surface)) };
}

async function textsIn(folder: string): Promise<(string | null)[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => fileName.test(name)).sort();
  return Promise.all(names.map(async (name) => textOf(await readFile(join(folder, name)))));
}

/** One file that says all: a line that says what it holds, the entries, the checkpoints. */
export function exportLedger({ surface, records, checkpoints }: LedgerCopy): string {
  const lines = [...records, ...checkpoints].map((text) => text ?? '');
  const last = records.at(-1);
  const first: LedgerExport = {
    kind: 'ledger-export',
    surface,
    entries: records.length,
    head: typeof last === 'string' ? digestBytes(last) : null,
    checkpoints: checkpoints.map((text) => digestBytes(text ?? '')),
  };
  return [canonicalJson(first), ...lines].map((line) => `${line}\n`).join('');
}

/** @throws UND-LEDGER when the file is no exported ledger by its first line, or does not end with a line */
export function importLedger(bytes: Uint8Array): LedgerCopy {
  const lines: (string | null)[] = [];
  let from = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
    lines.push(textOf(bytes.subarray(from, end)));
    from = end + 1;
  }
  const [head = null, ...rest] = lines;
  const first = firstLine(head);
  if (first === undefined) throw new UnderstudyError('UND-LEDGER', 'The first line of the file is not that of an exported ledger');
  if (from < bytes.length) throw new UnderstudyError('UND-LEDGER', 'The file does not end with the end of a line');
  const { surface, entries, head: headDigest, checkpoints } = first;
  // Where records are missing or too many, the checkpoints are still the last lines.
  const cut = Math.max(0, rest.length - checkpoints.length);
  return { surface, records: rest.slice(0, cut), says: { entries, head: headDigest, checkpoints }, checkpoints: rest.slice(cut) };
}

function firstLine(text: string | null): LedgerExport | undefined {
  try {
    const parsed = ledgerExport.parse(JSON.parse(text ?? ''));
    return canonicalJson(parsed) === text ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Null for what is no UTF-8. A byte order mark is a byte like others. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
