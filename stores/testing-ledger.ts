import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openGenerationDirectory } from './generations-directory.ts';
import { appendLedger } from './ledger.ts';
import { checkpointLedger } from './ledger-checkpoints.ts';
import { exportLedger, importLedger, ledgerInState } from './ledger-copies.ts';
import { type Signer, signerOf } from './signatures.ts';
import { type LedgerVerdict, verifyLedger } from './verify-ledger.ts';

export const newSigner = (): Signer => signerOf(generateKeyPairSync('ed25519').privateKey);

const entry = (number: number) => ({
  operationId: `release-1/step-${number}`,
  atMs: 1_700_000_000_000 + number,
  surface: 'home',
  action: number % 2 === 0 ? 'vote-approve' : 'spec-published',
  by: 'Łucja',
  releaseId: number === 1 ? null : 'release-1',
  detail: { why: `reason ${number}`, share: number / 8, evidence: { digest: `sha256:${String(number).repeat(64)}`, gates: [true, null] } },
});

/** A ledger of `home` in a state directory of its own, with a checkpoint behind the third decision and one behind the last. */
export async function openLedger({ decisions, signers }: { decisions: number; signers: readonly Signer[] }) {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-ledger-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const open = (ledgerSigners: readonly Signer[]) => openGenerationDirectory({ root: join(stateDir, 'series'), ledgerSigners });
  const generations = open(signers);
  const decide = async (number: number, by = generations) => appendLedger(by, entry(number));
  for (let number = 1; number <= decisions; number += 1) {
    await decide(number);
    if (number === 3 || number === decisions) await checkpointLedger(generations, { surface: 'home', nowMs: number * 86_400_000 });
  }
  const copy = () => ledgerInState({ stateDir, surface: 'home' });
  return { stateDir, generations, open, decide, copy, exported: async () => Buffer.from(exportLedger(await copy()), 'utf8') };
}

/** What is found in bytes that may be no exported ledger any more. */
export function verifyBytes(bytes: Uint8Array, known: Parameters<typeof verifyLedger>[1] = {}): Pick<LedgerVerdict, 'ok' | 'fault'> {
  try {
    return verifyLedger(importLedger(bytes), known);
  } catch (error) {
    return { ok: false, fault: { record: null, what: 'altered', why: (error as Error).message } };
  }
}
