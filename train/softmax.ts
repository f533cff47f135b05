/**
 * Adds softmax(logits) of each row to sums.
 *
 * @param logits [rows, classes]
 * @param sums where the sum of the first number of `logits` is at `offset`
 */
export function addSoftmax(logits: Float32Array, classes: number, sums: Float64Array, offset: number): void {
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const largest = row.reduce((most, value) => Math.max(most, value), -Infinity);
    const total = row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    row.forEach((value, index) => {
      const at = offset + start + index;
      sums[at] = sums[at]! + Math.exp(value - largest) / total;
    });
  }
}

/** Adds outputs as they are; parameters as of `addSoftmax`. */
export function addOutputs(outputs: Float32Array, _width: number, sums: Float64Array, offset: number): void {
  outputs.forEach((value, index) => {
    sums[offset + index] = sums[offset + index]! + value;
  });
}
