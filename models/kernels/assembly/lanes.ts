/** The sums of four vectors' lanes, side by side, each (a0 + a1) + (a2 + a3). */
// @ts-ignore: a decorator of the language
@inline
export function sumsOfFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 2, 4, 6), v128.shuffle<f32>(c, d, 1, 3, 5, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 2, 4, 6), v128.shuffle<f32>(ab, cd, 1, 3, 5, 7));
}

// @ts-ignore: a decorator of the language
@inline
export function sumOfLanes(a: v128): f32 {
  return f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
}

/** a + b c: in one rounding where the build allows it and the hardware has it, in two otherwise. */
// @ts-ignore: a decorator of the language
@inline
export function addProduct(a: v128, b: v128, c: v128): v128 {
  // @ts-ignore: set by the build
  if (FUSED) return f32x4.relaxed_madd(b, c, a);
  return f32x4.add(a, f32x4.mul(b, c));
}

/** Value of an entry: float32 where there is no table, else the uint8 place of one in it. */
// @ts-ignore: a decorator of the language
@inline
export function valueAt(values: usize, table: usize, entry: u32): f32 {
  if (table === 0) return load<f32>(values + ((<usize>entry) << 2));
  return load<f32>(table + ((<usize>load<u8>(values + <usize>entry)) << 2));
}
