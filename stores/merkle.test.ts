import fc from 'fast-check';
import { expect, it } from 'vitest';
import { consistencyProof, inclusionProof, isConsistent, isIncluded, leafHash, treeHead } from './merkle.ts';

/** The heads of the first n leaves of the test vectors of Certificate Transparency's own log (empty, 00, 10, 2021, …), as hex. */
const vectors = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) => Buffer.from(hex, 'hex'));
const leaves = (count: number): string[] => Array.from({ length: count }, (_, place) => leafHash(`entry ${place}`));

it('gives the heads that others give', () => {
  expect(treeHead([])).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(treeHead(vectors.slice(0, 1).map(leafHash))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  expect(treeHead(vectors.slice(0, 2).map(leafHash))).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125');
  expect(treeHead(vectors.map(leafHash))).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
});

it('proves each leaf of each tree, and no other in its place', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (size, nth, other) => {
      const all = leaves(size);
      const index = nth % size;
      const proof = inclusionProof(all, index);
      const given = { leaf: all[index] ?? '', index, size, root: treeHead(all), proof };
      expect(isIncluded(given)).toBe(true);
      expect(isIncluded({ ...given, leaf: leafHash('another') })).toBe(false);
      expect(isIncluded({ ...given, proof: [...proof, leafHash('more')] })).toBe(false);
      expect(isIncluded({ ...given, root: treeHead(leaves(size + 1)) })).toBe(false);
      const elsewhere = other % size;
      if (elsewhere !== index) expect(isIncluded({ ...given, index: elsewhere })).toBe(false);
      if (proof.length > 0) expect(isIncluded({ ...given, proof: proof.slice(1) })).toBe(false);
    }),
  );
});

it('proves that a tree holds an earlier one, and that another does not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 0, max: 70 }), fc.nat(), (size, more, nth) => {
      const all = leaves(size + more);
      const first = { size, root: treeHead(all.slice(0, size)) };
      const second = { size: size + more, root: treeHead(all) };
      const proof = consistencyProof(all, size);
      expect(isConsistent({ first, second, proof })).toBe(true);
      const changed = all.with(nth % size, leafHash('another'));
      const rewritten = { first, second: { size: size + more, root: treeHead(changed) } };
      expect(isConsistent({ ...rewritten, proof: consistencyProof(changed, size) })).toBe(false);
      expect(isConsistent({ ...rewritten, proof })).toBe(false);
      if (more > 0) expect(isConsistent({ first: second, second: first, proof })).toBe(false);
    }),
  );
});
