/**
 * The value of a 16-bit float: one sign bit, five of exponent (bias 15), ten of fraction (IEEE 754 binary16).
 *
 * @param bits 0 … 65535
 */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  // Without an exponent the leading one is not implied: zero and the subnormal numbers.
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
