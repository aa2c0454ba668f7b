import type { Digest } from '../models/contracts/ids.ts';
import { keyDetail, keyIntroduced, type LedgerEntry } from '../models/contracts/release.ts';
import { fingerprintOf, isSignedBy } from './signatures.ts';
import type { LedgerFault } from './verify-ledger.ts';

type Introduced = {
  key: Digest;
  publicKey: string;
  /** The record that introduces it. */
  from: number;
  /** Whether the key before it has signed that; of the first, true. */
  vouched: boolean;
};
type Fault = Omit<LedgerFault, 'record'>;

/** The keys of a ledger, one handing over to the next, as its records introduce them. */
export type KeyChain = {
  keys: Introduced[];
  /** Of the next record: is it signed as it must be? */
  check(entry: LedgerEntry): Fault | undefined;
  /** What is wrong with the keys, by the one that is trusted: asked behind the last record. */
  distrusted(): LedgerFault | undefined;
  /** Which key was in force at a record. */
  keyFor(sequence: number): Introduced | undefined;
};

/** @param trusted fingerprint of a key of whoever verifies */
export function keyChain(trusted: Digest | undefined): KeyChain {
  const keys: Introduced[] = [];
  return {
    keys,

    check(entry) {
      const { signed, ...document } = entry;
      const current = keys.at(-1);
      if (entry.action === keyIntroduced) return introduced(entry);
      if (signed === undefined)
        return current === undefined ? undefined : { what: 'unsigned', why: `it has no signature, and from record ${keys[0]?.from} on all are signed` };
      const { also, ...own } = signed;
      if (current === undefined) return { what: 'altered', why: 'it is signed by a key that no record introduces' };
      if (also !== undefined || own.key !== current.key) return { what: 'altered', why: `it is not signed by the key in force, ${current.key}` };
      return isSignedBy({ document, signature: own.signature, publicKey: current.publicKey })
        ? undefined
        : { what: 'altered', why: 'it is not what was signed' };
    },

    distrusted() {
      const broken = keys.findLast(({ vouched }) => !vouched);
      const at = keys.findLastIndex(({ key }) => key === trusted);
      if (trusted !== undefined && at < 0)
        return { record: keys[0]?.from ?? null, what: 'unsigned', why: keys.length === 0 ? 'no record is signed' : `no record is signed by ${trusted}` };
      if (broken !== undefined && at < keys.indexOf(broken))
        return {
          record: broken.from,
          what: 'altered',
          why: `it hands over to ${broken.key}, and the key before has not signed that: if you trust this key, say so with --public-key`,
        };
      return undefined;
    },

    keyFor: (sequence) => keys.findLast(({ from }) => from <= sequence),
  };

  function introduced(entry: LedgerEntry): Fault | undefined {
    const { signed, ...document } = entry;
    const current = keys.at(-1);
    const detail = keyDetail.safeParse(entry.detail).data;
    if (signed === undefined || detail === undefined || detail.key !== fingerprintOf(detail.publicKey) || detail.replaces !== (current?.key ?? null))
      return { what: 'altered', why: 'it introduces no key that could follow' };
    const vouched = current === undefined || signed.key === current.key;
    const bySelf = current !== undefined && vouched ? signed.also : signed;
    if (bySelf?.key !== detail.key || !isSignedBy({ document, signature: bySelf.signature, publicKey: detail.publicKey }))
      return { what: 'altered', why: 'it is not signed by the key that it introduces' };
    if (bySelf === signed && signed.also !== undefined) return { what: 'altered', why: 'it is signed once too often' };
    if (current !== undefined && vouched && !isSignedBy({ document, signature: signed.signature, publicKey: current.publicKey }))
      return { what: 'altered', why: 'it is not signed by the key in force' };
    keys.push({ key: detail.key, publicKey: detail.publicKey, from: entry.sequence, vouched });
    return undefined;
  }
}
