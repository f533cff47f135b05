import { beforeAll, describe, expect, it } from 'vitest';
import { runOracle } from '../export/index.ts';
import { type Kernels, openKernels } from '../runtime/bits/kernels.ts';
import { Heap } from '../runtime/bits/memory.ts';
import { mostEvents } from '../runtime/bits/operators/sum-steps.ts';
import { openBits } from '../runtime/bits/runner.ts';
import { binary, conv2d, defineModel, dense as denseLayer, flatten, readout } from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { observable } from './support/bits-identity.ts';
import { randomNetwork } from './support/networks.ts';

/** What `dense` is given, and the sums that a loop over the numbers finds. */
interface Case {
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers of a row, below 2^planes. */
  readonly rows: readonly (readonly number[])[];
  readonly planes: number;
}

/** Which of so many weights are +1: half of them, by a hash of where they are. */
const isPlus = (input: number, output: number): boolean =>
  (Math.imul(input * 65599 + output, 0x9e3779b1) >>> 15) % 2 === 1;

function sumsOf({ outputs, rows }: Case): number[][] {
  return rows.map((row) => {
    const sums = Array.from({ length: outputs }, () => 0);
    row.forEach((value, input) => {
      if (value !== 0)
        for (let output = 0; output < outputs; output++)
          sums[output] = sums[output]! + (isPlus(input, output) ? value : -value);
    });
    return sums;
  });
}

/** A row in which so many of the inputs fire. */
function firing(random: Random, inputs: number, count: number): number[] {
  const row = Array.from({ length: inputs }, (_, index) => Number(index < count));
  for (let last = inputs - 1; last > 0; last--) {
    const other = random.nextBelow(last + 1);
    [row[last], row[other]] = [row[other]!, row[last]!];
  }
  return row;
}

/** Opens a memory, lays a case out in it, and adds up with `limit`, twice on the same scratch. */
async function dense(simd: boolean, given: Case, limit: number): Promise<number[][]> {
  const heap = new Heap();
  const kernels = await openKernels(heap, simd);
  return run(heap, kernels, given, limit);
}

function run(
  heap: Heap,
  kernels: Kernels,
  { inputs, outputs, rows, planes }: Case,
  limit: number,
): number[][] {
  const bytes = Math.ceil(inputs / 128) * 16;
  const width = Math.ceil(outputs / 128) * 16;
  const padded = Math.ceil(outputs / 4) * 4;
  const stride = padded * 4;
  const x = heap.allocate(rows.length * planes * bytes).at;
  const w = heap.allocate(padded * bytes).at;
  const t = heap.allocate(inputs * width).at;
  const y = heap.allocate(rows.length * stride).at;
  const scratch = heap.allocate(kernels.denseScratch(rows.length, padded, bytes)).at;
  const memory = heap.bytes;
  const set = (at: number, bit: number): void => {
    memory[at + (bit >> 3)] = memory[at + (bit >> 3)]! | (1 << (bit & 7));
  };
  rows.forEach((row, index) => {
    row.forEach((value, input) => {
      for (let plane = 0; plane < planes; plane++)
        if ((value >> plane) & 1) set(x + (index * planes + plane) * bytes, input);
    });
  });
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      if (!isPlus(input, output)) continue;
      set(w + output * bytes, input);
      set(t + input * width, output);
    }
  }
  // What one call leaves in its scratch must not show in the next.
  for (let call = 0; call < 2; call++) {
    memory.fill(0x55, y, y + rows.length * stride);
    kernels.dense(x, w, t, y, rows.length, padded, bytes, planes, stride, limit, scratch);
  }
  return rows.map((_, row) => [...new Int32Array(memory.buffer, y + row * stride, outputs)]);
}

/** Below all, above all, and between: counting over all, adding up weights, and both in one call. */
const limits = (inputs: number): number[] => [-1, inputs, Math.floor(inputs / 3)];

describe.each([true, false])('sums of bits, with SIMD: %s', (simd) => {
  const widths = [1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300];
  it.each(widths)('are those of a plain loop, for %i inputs', async (inputs) => {
    const random = Random.fromSeed(inputs, 'rows');
    // Around the eights that go through the adders together, and the planes of their counters.
    const counts = [
      0,
      1,
      2,
      7,
      8,
      9,
      15,
      16,
      17,
      31,
      32,
      33,
      63,
      64,
      65,
      127,
      128,
      129,
      254,
      255,
      256,
      257,
      inputs,
    ];
    const rows = counts.filter((count) => count <= inputs).map((count) => firing(random, inputs, count));
    for (const outputs of [1, 3, 4, 5, 64, 121, 128, 132, 257]) {
      const given = { inputs, outputs, rows, planes: 1 };
      const expected = sumsOf(given);
      for (const limit of limits(inputs)) expect(await dense(simd, given, limit)).toEqual(expected);
    }
  });

  it.each([2, 3, 8])('are those of numbers of %i bits', async (planes) => {
    const random = Random.fromSeed(planes, 'numbers');
    for (const [inputs, outputs] of [
      [13, 5],
      [131, 130],
      [260, 64],
    ] as const) {
      const rows = Array.from({ length: 5 }, () =>
        Array.from({ length: inputs }, () => random.nextBelow(2 ** planes)),
      );
      const given = { inputs, outputs, rows, planes };
      for (const limit of limits(inputs)) expect(await dense(simd, given, limit)).toEqual(sumsOf(given));
    }
  });
});

describe('many rows at once', () => {
  it.each([223, 224, 225, 256, 300, 449])(
    '%i of them are sliced, or not, with the same sums',
    async (count) => {
      const random = Random.fromSeed(count, 'slices');
      for (const [inputs, outputs, planes] of [
        [1, 1, 1],
        [27, 6, 3],
        [129, 17, 1],
        [576, 9, 1],
      ] as const) {
        // Some rows are silent, some fire always, and those between are of every kind.
        const rows = Array.from({ length: count }, (_, row) =>
          Array.from({ length: inputs }, () =>
            random.nextUniform() < (row % 11) / 10 ? 1 + random.nextBelow(2 ** planes - 1) : 0,
          ),
        );
        const given = { inputs, outputs, rows, planes };
        const expected = sumsOf(given);
        for (const limit of [-1, Math.floor(inputs / 12)])
          expect(await dense(true, given, limit)).toEqual(expected);
      }
    },
  );

  it('are the windows of a convolution', async () => {
    const model = defineModel({
      input: { type: 'uint8', shape: [19, 17, 8], scale: 1 },
      layers: [
        conv2d({ filters: 18, size: 3, groups: 2 }),
        binary(),
        conv2d({ filters: 5, size: 4, stride: 1 }),
        binary(),
        flatten(),
        denseLayer({ units: 3 }),
        readout(),
      ],
    });
    const network = randomNetwork(model, 3);
    const { bytes, layers } = observable(network);
    const random = Random.fromSeed(2, 'planes');
    for (const [batch, most] of [
      [1, 1],
      [4, 1],
      [2, 255],
    ] as const) {
      const data = Uint8Array.from({ length: batch * 19 * 17 * 8 }, (_, index) =>
        // Upper halves are nearly silent.
        random.nextUniform() < (index % (19 * 17 * 8) < 1200 ? 0.01 : 0.5) ? 1 + random.nextBelow(most) : 0,
      );
      const expected = runOracle(network, network.members[0]!, data);
      const runner = await openBits(bytes, {}, 'windows');
      const dims = [batch, 19, 17, 8];
      const found = runner.runNow({ input: { type: 'uint8', dims, data } }, runner.outputs);
      for (const name of layers.flat())
        expect(Array.from(found[name]!.data as Uint8Array, (value) => value / 255)).toEqual(
          Array.from(expected.layers[name]!),
        );
    }
  });
});

describe('the most inputs whose events can be counted', () => {
  const inputs = 33000;
  const random = Random.fromSeed(1, 'many');
  const heap = new Heap();
  let kernels: Kernels;

  beforeAll(async () => {
    kernels = await openKernels(heap, true);
  });

  it.each([4095, 4096, 16384, 32767])('%i fire', (count) => {
    const given = { inputs, outputs: 4, rows: [firing(random, inputs, count)], planes: 1 };
    expect(run(heap, kernels, given, 32767)).toEqual(sumsOf(given));
  });
});

/** The part of the inputs up to which events are counted. */
const part = (inputs: number, outputs: number): number =>
  mostEvents(Math.ceil(inputs / 128) * 16, outputs, 'counting') / inputs;

describe('how rows are added up', () => {
  it('is by events where the outputs are many, and over all where they are few', () => {
    expect(part(4096, 4096)).toBeGreaterThan(1);
    expect(part(1024, 1024)).toBeGreaterThan(1);
    expect(part(4096, 4)).toBeLessThan(0);
    expect(part(256, 20)).toBeLessThan(0);
    expect(part(576, 64)).toBeGreaterThan(0.1);
    expect(part(576, 64)).toBeLessThan(0.4);
    // What the counters hold.
    expect(mostEvents(5000, 4096, 'counting')).toBe(32767);
  });
});
