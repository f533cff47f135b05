/** Numbers of two units in one: so many of it is one of each. */
export interface CommonUnit {
  readonly unit: number;
  readonly factors: readonly [ofFirst: number, ofSecond: number];
}

/** The smaller of two units, where the larger is a whole number of it: whole numbers then stay whole. */
export function commonUnit(first: number, second: number): CommonUnit | undefined {
  const unit = Math.min(first, second);
  const factors = [first / unit, second / unit] as const;
  return factors.every(Number.isInteger) ? { unit, factors } : undefined;
}
