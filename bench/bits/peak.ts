import { openKernels } from '../../runtime/bits/kernels.ts';
import { Heap } from '../../runtime/bits/memory.ts';
import { median } from '../harness.ts';

/**
 * Binary multiplications and additions in a second where nothing but counting holds the kernel back: all of it in the
 * first-level cache, two rows that share what is loaded of the weights.
 */
export async function peakRate(): Promise<number> {
  const heap = new Heap();
  const kernels = await openKernels(heap, true);
  const [rows, outputs, bytes] = [2, 64, 256];
  const x = heap.allocate(rows * bytes).at;
  const w = heap.allocate(outputs * bytes).at;
  const y = heap.allocate(rows * outputs * 4).at;
  const scratch = heap.allocate(8192).at;
  for (let place = 0; place < rows * bytes; place++) heap.bytes[x + place] = place * 37;
  for (let place = 0; place < outputs * bytes; place++) heap.bytes[w + place] = place * 73;
  const calls = 500;
  const times: number[] = [];
  for (let round = 0; round < 40; round++) {
    const start = performance.now();
    for (let call = 0; call < calls; call++)
      kernels.dense(x, w, 0, y, rows, outputs, bytes, 1, outputs * 4, -1, scratch);
    times.push(performance.now() - start);
  }
  const operations = 2 * rows * outputs * bytes * 8 * calls;
  return operations / (median(times.slice(10)) / 1000);
}
