/** For sentences: .0314 is 3.1 %. */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** Of a difference: +3.1 %, −3.1 %. */
export function signedPercent(share: number, digits = 1): string {
  return `${share < 0 ? '−' : '+'}${percent(Math.abs(share), digits)}`;
}
