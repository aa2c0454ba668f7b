/** A seeded stream of uniform numbers. The same seed gives the same stream on every machine. */
export type Random = {
  /** 0 .. 2^32 - 1 */
  uint32(): number;
  /** [0, 1), 53 bits. */
  float(): number;
  /** Whole number in [0, bound), each as likely as the other. `bound` is 1 .. 2^32. */
  below(bound: number): number;
};

/**
 * xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), its state filled by splitmix32.
 * @param seed whole number; its lower 53 bits count.
 */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`createRandom: the seed must be a whole number, not ${seed}`);
  const next = splitmix32((seed | 0) ^ Math.imul(Math.floor(seed / 0x1_0000_0000) | 0, 0x9e3779b1));
  let a = next();
  let b = next();
  let c = next();
  let d = next() | 1; // The all-zero state is the one that never leaves zero.

  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
  return {
    uint32,
    float: () => ((uint32() >>> 5) * 0x400_0000 + (uint32() >>> 6)) / 0x20_0000_0000_0000,
    below(bound) {
      if (!Number.isInteger(bound) || bound < 1 || bound > 0x1_0000_0000) throw new RangeError(`below: the bound must lie in 1 .. 2^32, not ${bound}`);
      // Draws beyond the largest multiple of the bound are thrown away: otherwise the low numbers would be likelier.
      const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
      let drawn = uint32();
      while (drawn >= limit) drawn = uint32();
      return drawn % bound;
    },
  };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
