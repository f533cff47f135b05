/**
 * Milliseconds of a call, `count` times.
 *
 * @param calls one after another between two looks at the clock
 */
export async function timed(count: number, calls: number, call: () => unknown): Promise<number[]> {
  const times: number[] = [];
  for (let step = 0; step < count; step++) {
    const start = performance.now();
    for (let each = 0; each < calls; each++) {
      const found = call();
      if (found instanceof Promise) await found;
    }
    times.push((performance.now() - start) / calls);
  }
  return times;
}
