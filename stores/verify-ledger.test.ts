import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestBytes, digestJson } from '../models/contracts/digest.ts';
import type { LedgerEntry } from '../models/contracts/release.ts';
import { rotateLedgerKey } from './ledger.ts';
import { listCheckpoints, proveInclusion } from './ledger-checkpoints.ts';
import { exportLedger, importLedger } from './ledger-copies.ts';
import { isIncluded, leafHash } from './merkle.ts';
import { newSigner, openLedger, verifyBytes } from './testing-ledger.ts';
import { readCheckpoint } from './verify-checkpoints.ts';
import { type LedgerCopy, verifyLedger } from './verify-ledger.ts';

const kinds = [
  { name: 'signed', signers: () => [newSigner()] },
  { name: 'unsigned', signers: () => [] },
];

/** Without what an export says of itself: as whoever altered it would have it. */
const lying = (copy: LedgerCopy, records: readonly (string | null)[]): LedgerCopy => ({ surface: copy.surface, records, checkpoints: copy.checkpoints });

describe.each(kinds)('a ledger that is $name', ({ signers }) => {
  it('is right as it was written', async () => {
    const { exported, copy } = await openLedger({ decisions: 5, signers: signers() });
    expect(verifyBytes(await exported())).toMatchObject({ ok: true, fault: null });
    expect(verifyLedger(await copy())).toMatchObject({ ok: true, checkpoints: 2 });
  });

  it('has no byte that can be another one: the record is named that it is of', async () => {
    const { exported } = await openLedger({ decisions: 3, signers: signers() });
    const bytes = await exported();
    const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
    let line = 0;
    const records = bytes
      .toString('utf8')
      .split('\n')
      .filter((text) => text.startsWith('{"action"')).length;
    for (let place = 0; place < bytes.length; place += 1) {
      const was = bytes[place] as number;
      // Any other byte, one for each place; every third time one that is likely to be taken for what was there.
      bytes[place] = place % 3 === 0 ? was ^ 1 : (was + 1 + ((seed + place * 31) % 255)) % 256;
      const { ok, fault } = verifyBytes(bytes);
      expect(ok, `byte ${place}, ${was} -> ${bytes[place]}`).toBe(false);
      if (line >= 1 && line <= records && was !== 0x0a)
        expect(fault?.record, `byte ${place} of line ${line}, ${was} -> ${bytes[place]}: ${fault?.why}`).toBe(line);
      bytes[place] = was;
      if (was === 0x0a) line += 1;
    }
    expect(verifyBytes(bytes).ok).toBe(true);
  }, 120_000);

  it('misses every record that is removed, finds every one that is there twice, out of order, or new', async () => {
    const { copy } = await openLedger({ decisions: 6, signers: signers() });
    const whole = await copy();
    const { records } = whole;
    for (let place = 0; place < records.length; place += 1) {
      const sequence = place + 1;
      const removed = verifyLedger(lying(whole, records.toSpliced(place, 1))).fault;
      expect(removed).toMatchObject({ record: sequence, what: place === records.length - 1 ? 'cut-off' : 'removed' });
      for (let to = 0; to <= records.length; to += 1) {
        const twice = verifyLedger(lying(whole, records.toSpliced(to, 0, records[place] ?? ''))).fault;
        expect(twice?.what, `${sequence} again at ${to}`).toBe('inserted');
        expect(twice?.record).toBe(to === place || to === place + 1 ? sequence : to + 1);
      }
      for (let other = place + 1; other < records.length; other += 1) {
        const swapped = records.with(place, records[other] ?? '').with(other, records[place] ?? '');
        expect(verifyLedger(lying(whole, swapped)).fault).toMatchObject({ record: sequence, what: 'reordered' });
      }
    }
  });

  it('shows a record that was put in, as well as whoever has no key can', async () => {
    const { copy } = await openLedger({ decisions: 6, signers: signers() });
    const whole = await copy();
    for (let place = 1; place < whole.records.length; place += 1) {
      const model = JSON.parse(whole.records[place] ?? '') as LedgerEntry;
      const forged = canonicalJson({ ...model, by: 'nobody', operationId: 'forged' });
      expect(verifyLedger(lying(whole, whole.records.toSpliced(place, 0, forged))).fault?.record).toBe(place + 1);
    }
  });

  it('is found rewritten by checkpoints, though the chain be made anew', async () => {
    const { copy, generations } = await openLedger({ decisions: 6, signers: signers() });
    const whole = await copy();
    const outside = await listCheckpoints(generations, 'home');
    const chained = rechain(whole.records, 4, (entry) => ({ ...entry, by: 'somebody else' }));
    const { fault } = verifyLedger({ ...lying(whole, chained), checkpoints: [] }, { outside });
    expect(fault?.record).toBeLessThanOrEqual(5);
    expect(fault?.record).toBeGreaterThanOrEqual(4);
  });

  it('does not show by itself what was cut off behind; a checkpoint from elsewhere does', async () => {
    const { copy, generations } = await openLedger({ decisions: 6, signers: signers() });
    const whole = await copy();
    const cut = { surface: 'home', records: whole.records.slice(0, 4), checkpoints: whole.checkpoints.slice(0, 1) };
    expect(verifyLedger(cut).ok).toBe(true);
    const outside = await listCheckpoints(generations, 'home');
    expect(verifyLedger(cut, { outside }).fault).toMatchObject({ record: 5, what: 'cut-off' });
  });

  it('proves each entry by the checkpoint that holds it', async () => {
    const { copy, generations } = await openLedger({ decisions: 6, signers: signers() });
    const { records } = await copy();
    for (const [place, text] of records.entries()) {
      const [proof] = await proveInclusion(generations, { surface: 'home', sequences: [place + 1] });
      expect(proof).toMatchObject({ sequence: place + 1, leaf: leafHash(text ?? '') });
      if (proof !== undefined) expect(isIncluded({ ...proof, index: place })).toBe(true);
    }
    expect(await proveInclusion(generations, { surface: 'home', sequences: [records.length + 1] })).toEqual([]);
  });
});

/** From a record on, changed, and every one behind it tied to the one before: as whoever has no key would. */
function rechain(records: readonly (string | null)[], from: number, change: (entry: LedgerEntry) => LedgerEntry): string[] {
  const made: string[] = [];
  for (const [place, text] of records.entries()) {
    const entry = JSON.parse(text ?? '') as LedgerEntry;
    const before = made.at(-1);
    const tied = { ...entry, previous: before === undefined ? null : digestBytes(before) };
    made.push(place < from - 1 ? (text ?? '') : canonicalJson(place === from - 1 ? change(tied) : tied));
  }
  return made;
}

it('names the record itself where a signed chain is made anew', async () => {
  const { copy } = await openLedger({ decisions: 6, signers: [newSigner()] });
  const whole = await copy();
  for (let sequence = 1; sequence <= whole.records.length; sequence += 1) {
    const chained = rechain(whole.records, sequence, (entry) => ({ ...entry, by: 'somebody else' }));
    expect(verifyLedger(lying(whole, chained)).fault).toMatchObject({ record: sequence, what: 'altered' });
    const stripped = rechain(whole.records, sequence, ({ signed: _, ...entry }) => entry);
    expect(verifyLedger(lying(whole, stripped)).fault).toMatchObject({ record: sequence });
  }
});

it('stays readable from when it was not signed, and says from where on it is', async () => {
  const signer = newSigner();
  const { open, decide, copy } = await openLedger({ decisions: 3, signers: [] });
  await decide(4, open([signer]));
  const verdict = verifyLedger(await copy());
  expect(verdict).toMatchObject({ ok: true, records: 5, signedFrom: 4, keys: [{ key: signer.key, from: 4, vouched: true }] });
  // Signed is signed: whoever has no key adds nothing.
  await expect(decide(5, open([]))).rejects.toMatchObject({ code: 'UND-SIGNING-KEY' });
  await expect(decide(5, open([newSigner()]))).rejects.toMatchObject({ code: 'UND-SIGNING-KEY', message: expect.stringContaining('ledger rotate') });
  expect((await copy()).records.length).toBe(5);
});

it('takes another key from the one before, and from nobody else', async () => {
  const [first, second, third] = [newSigner(), newSigner(), newSigner()];
  const { open, decide, copy } = await openLedger({ decisions: 2, signers: [first] });
  const rotation = { surface: 'home', by: 'sre', why: 'a year is over', nowMs: 9 };
  const entry = await rotateLedgerKey(open([first]), { ...rotation, next: second });
  expect(entry).toMatchObject({ action: 'ledger-key', signed: { key: first.key, also: { key: second.key } }, detail: { replaces: first.key } });
  expect(await rotateLedgerKey(open([first]), { ...rotation, next: second })).toEqual(entry);
  // A worker that has both goes on.
  await decide(3, open([first, second]));
  await expect(decide(4, open([first]))).rejects.toMatchObject({ code: 'UND-SIGNING-KEY' });
  await expect(rotateLedgerKey(open([first]), { ...rotation, next: third })).rejects.toMatchObject({ code: 'UND-SIGNING-KEY' });
  for (const { key } of [first, second]) expect(verifyLedger(await copy(), { trusted: key }).ok).toBe(true);
  expect(verifyLedger(await copy(), { trusted: third.key }).fault).toMatchObject({ what: 'unsigned' });
  // Lost: whoever verifies must say that the key is one to trust.
  await rotateLedgerKey(open([]), { ...rotation, next: third, isLost: true });
  await decide(5, open([third]));
  expect(verifyLedger(await copy()).fault).toMatchObject({ record: 6, what: 'altered' });
  expect(verifyLedger(await copy(), { trusted: second.key }).fault).toMatchObject({ record: 6 });
  expect(verifyLedger(await copy(), { trusted: third.key })).toMatchObject({ ok: true, keys: [{ vouched: true }, { vouched: true }, { vouched: false }] });
});

it('reads any bytes without falling over', async () => {
  const { copy } = await openLedger({ decisions: 2, signers: [newSigner()] });
  const whole = await copy();
  const first = exportLedger(whole).split('\n')[0] ?? '';
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.json(), fc.string(), fc.constantFrom(...whole.records.map((text) => text ?? ''))), { maxLength: 6 }), (lines) => {
      const bytes = Buffer.from([first, ...lines].map((line) => `${line}\n`).join(''), 'utf8');
      const right = bytes.equals(Buffer.from(exportLedger(whole), 'utf8'));
      expect(verifyBytes(bytes).ok).toBe(right);
    }),
  );
});

it('pins what it says', async () => {
  const { copy } = await openLedger({ decisions: 2, signers: [] });
  const [text] = (await copy()).records;
  expect(digestJson(JSON.parse(text ?? ''))).toBe(digestBytes(text ?? ''));
});

it('is right as it was recorded once, over two keys and from before there was one, and with no byte changed', async () => {
  const bytes = await readFile(new URL('../models/contracts/fixtures/v2/ledger-export.jsonl', import.meta.url));
  const [trusted, held] = ['sha256:d1cbcbdad2d74b5c6f8817985e72dd30ac259d74499e91d275584df14ac148e7', importLedger(bytes).checkpoints.at(-1) ?? ''];
  const known = { trusted, outside: [readCheckpoint(held)].filter((one) => one !== undefined) };
  expect(verifyLedger(importLedger(bytes), known)).toMatchObject({ ok: true, records: 5, signedFrom: 2, heldOutside: 5, checkpoints: 2 });
  for (let place = 0; place < bytes.length; place += 1) {
    bytes[place] = (bytes[place] as number) ^ 1;
    expect(verifyBytes(bytes, known).ok, `byte ${place}`).toBe(false);
    bytes[place] = (bytes[place] as number) ^ 1;
  }
}, 60_000);
