/** The 1-bit engine answers as the other devices do; and what says so covers all there is, and can fail. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { type Network, runOracle, toOnnx } from '../export/index.ts';
import type { Kernels } from '../runtime/bits/kernels.ts';
import { type LoadedNetwork, load, openBits } from '../runtime/index.ts';
import {
  averagePool,
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  readout,
  residual,
} from '../schemas/index.ts';
import { layers } from '../schemas/layers/index.ts';
import { Random } from '../schemas/random.ts';
import { compareSeed, randomCase } from './support/bits-identity.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { randomModel } from './support/random-networks.ts';

/** `BITSPIKE_NETWORKS=2000 npx vitest run test/bits-identity.test.ts` compares more of them. */
const networks = Number(process.env.BITSPIKE_NETWORKS ?? 30);

/** The kernel whose results are spoilt while a test says so, and how often it ran. */
const spoilt = vi.hoisted(() => ({ kernel: '', calls: 0 }));

/** The parameter that says where a kernel writes; the second of those that are not named. */
const targets: Readonly<Record<string, number>> = { dense: 3, floatDense: 2, signedDense: 2 };
const floats: ReadonlySet<string> = new Set(['floatDense', 'signedDense']);

vi.mock('../runtime/bits/kernels.ts', async (original) => {
  const module = await original<typeof import('../runtime/bits/kernels.ts')>();
  return {
    ...module,
    openKernels: async (...given: Parameters<typeof module.openKernels>) => {
      const kernels = await module.openKernels(...given);
      const [heap] = given;
      const spoil =
        (name: string, kernel: (...places: number[]) => unknown) =>
        (...places: number[]) => {
          const found = kernel(...places);
          if (name !== spoilt.kernel) return found;
          spoilt.calls++;
          if (typeof found === 'number') return 0;
          // Of floats the byte that has the first digits.
          const place = (places[targets[name] ?? 1] as number) + (floats.has(name) ? 2 : 0);
          heap.bytes[place] = (heap.bytes[place] as number) ^ 0x7f;
          return found;
        };
      const all = Object.entries(kernels as unknown as Record<string, (...places: number[]) => unknown>);
      return Object.fromEntries(
        all.map(([name, kernel]) => [name, typeof kernel === 'function' ? spoil(name, kernel) : kernel]),
      );
    },
  };
});

afterEach(() => {
  spoilt.kernel = '';
});

/** Opens a network on both, and closes it there. */
async function onBoth<T>(bytes: Uint8Array, ask: (network: LoadedNetwork) => Promise<T>): Promise<[T, T]> {
  const answers: T[] = [];
  for (const device of ['bits', 'cpu'] as const) {
    const network = await load(bytes, { device });
    answers.push(await ask(network));
    await network.close();
  }
  return answers as [T, T];
}

describe('predictions', () => {
  it('are the labels and the probabilities of device cpu, of networks and ensembles', {
    timeout: 3_600_000,
  }, async () => {
    let [examples, ensembles] = [0, 0];
    for (let seed = 1; seed <= networks; seed++) {
      const { network, members, input, options } = randomCase(seed);
      const inputs = input.data as Uint8Array;
      const [own, other] = await onBoth(toOnnx(network, options), (each) =>
        members > 1 ? each.ensemble(inputs) : each.classify(inputs),
      );
      expect(own.length).toBe(other.length);
      other.forEach((expected, index) => {
        const found = own[index]!;
        examples++;
        ensembles += Number(members > 1);
        const sorted = [...expected.probabilities].toSorted((a, b) => b - a);
        // Two classes that are as probable but for rounding may change places.
        const isClear = sorted[0]! - (sorted[1] ?? 0) > 1e-5;
        expect(isClear ? found.label : 0, `network ${seed}`).toBe(isClear ? expected.label : 0);
        expected.probabilities.forEach((value, place) =>
          expect(Math.abs(found.probabilities[place]! - value), `network ${seed}`).toBeLessThan(1e-5),
        );
        expect(Math.abs(found.entropy - expected.entropy), `network ${seed}`).toBeLessThan(1e-4);
        const information = (of: typeof found): number => of.mutualInformation ?? -1;
        expect(Math.abs(information(found) - information(expected))).toBeLessThan(1e-4);
      });
    }
    expect(examples).toBeGreaterThan(networks * 2);
    expect(ensembles).toBeGreaterThan(networks / 5);
  });

  it('are the means of device cpu where numbers are predicted', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { network, input } = randomCase(seed);
      const numbers: Network = { ...network, likelihood: { kind: 'gaussian', deviation: 0.5 } };
      const [own, other] = await onBoth(toOnnx(numbers), (each) => each.predict(input.data as Uint8Array));
      other.forEach(({ mean, deviation }, index) => {
        const largest = Math.max(1, ...[...mean].map(Math.abs));
        mean.forEach((value, place) =>
          expect(Math.abs(own[index]!.mean[place]! - value) / largest, `network ${seed}`).toBeLessThan(1e-5),
        );
        deviation.forEach((value, place) => expect(own[index]!.deviation[place]!).toBeCloseTo(value, 4));
      });
    }
  });
});

it.each(['any', 'gpu'] as const)(
  'channels that a shortcut adds are zeros, whatever lies behind a row: %s',
  async (target) => {
    // A negative threshold: a sum of nothing fires.
    const fires = binary({ threshold: -1.5 });
    const model = defineModel({
      input: { type: 'float32', shape: [4, 6, 5] },
      layers: [
        conv2d({ filters: 10, size: 1 }),
        fires,
        averagePool({ size: [2, 3] }),
        residual({ layers: [conv2d({ filters: 13, size: 3 }), fires] }),
        flatten(),
        dense({ units: 4 }),
        readout(),
      ],
    });
    const network = randomNetwork(model, 5);
    const data = Float32Array.from(randomBytes(3 * 120, 6, 1));
    const { logits } = runOracle(network, network.members[0]!, data);
    const runner = await openBits(toOnnx(network, { target }), 'shortcut');
    const found = runner.runNow({ input: { type: 'float32', dims: [3, 4, 6, 5], data } }, ['logits']);
    logits.forEach((value, index) => expect(found.logits!.data[index]).toBeCloseTo(value, 4));
  },
);

/** Options that say how a network learns, not what it computes. */
const ofTraining: ReadonlySet<string> = new Set(['decaySpread', 'detachReset']);

interface Plain {
  readonly kind: string;
  readonly layers?: readonly Plain[];
  readonly neuron?: Plain;
}

/** Every layer of a network, those within blocks and the neurons of recurrent ones included. */
const everyLayer = (list: readonly Plain[]): Plain[] =>
  list.flatMap((layer) => [
    layer,
    ...everyLayer(layer.layers ?? []),
    ...(layer.neuron ? [layer.neuron] : []),
  ]);

/** How many values of an option there have to be: all where it is one of a list, or two. */
function valuesOf(schema: z.ZodType): number {
  let inner = schema as z.ZodType & {
    readonly def: { readonly innerType?: z.ZodType; readonly type: string };
  };
  while (inner.def.innerType) inner = inner.def.innerType as typeof inner;
  const { entries } = inner.def as { readonly entries?: object };
  return inner.def.type === 'enum' ? Object.keys(entries ?? {}).length : 2;
}

describe('the random networks', () => {
  it('have every kind of layer that there is, with every option', () => {
    const seen = new Map<string, Set<string>>();
    for (let seed = 1; seed <= 1500; seed++) {
      const model = randomModel(Random.fromSeed(seed, 'network for the 1-bit engine'));
      for (const { kind, ...options } of everyLayer(model.layers as readonly Plain[])) {
        seen.set(kind, seen.get(kind) ?? new Set());
        for (const [name, value] of Object.entries(options)) {
          const values = seen.get(`${kind}.${name}`) ?? new Set();
          seen.set(`${kind}.${name}`, values.add(JSON.stringify(value)));
        }
      }
    }
    const lacking: string[] = [];
    for (const [kind, { layer }] of Object.entries(layers)) {
      if (!seen.has(kind)) lacking.push(kind);
      for (const [name, schema] of Object.entries(layer.options.shape as Record<string, z.ZodType>)) {
        const found = seen.get(`${kind}.${name}`)?.size ?? 0;
        // One that is there or not needs to be there once.
        const wanted = name === 'perStep' ? 1 : valuesOf(schema);
        if (!ofTraining.has(name) && found < wanted) lacking.push(`${kind}.${name}: ${found} of ${wanted}`);
      }
    }
    expect(lacking).toEqual([]);
  });

  it('halve, widen and nest blocks, and step differently down and across', () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= 600; seed++) {
      const model = randomModel(Random.fromSeed(seed, 'network for the 1-bit engine'));
      for (const { kind, ...rest } of everyLayer(model.layers as readonly Plain[])) {
        const {
          layers: inside = [],
          stride,
          size,
        } = rest as {
          readonly layers?: readonly (Plain & { readonly stride?: readonly number[] })[];
          readonly stride?: readonly number[];
          readonly size?: readonly number[];
        };
        if (inside.some((layer) => layer.kind === 'residual')) found.add('nested');
        if (inside.some((layer) => layer.stride?.join() === '2,2')) found.add('halved');
        if (stride && stride[0] !== stride[1]) found.add(`${kind}: stride`);
        if (size && size[0] !== size[1]) found.add(`${kind}: size`);
      }
    }
    const windows = ['conv2d', 'averagePool', 'maxPool'].flatMap((kind) => [
      `${kind}: stride`,
      `${kind}: size`,
    ]);
    expect([...found].toSorted()).toEqual(['nested', 'halved', ...windows].toSorted());
  });
});

/** Those that tell sizes, and write nothing. */
const silent: ReadonlySet<string> = new Set(['denseScratch']);

describe('the comparison fails where a kernel is wrong', () => {
  it('whichever of them it is', { timeout: 300_000 }, async () => {
    const { openKernels } = await import('../runtime/bits/kernels.ts');
    const { Heap } = await import('../runtime/bits/memory.ts');
    const kernels: Kernels = await openKernels(new Heap(), true);
    const names = Object.keys(kernels).filter(
      (name) => typeof kernels[name as keyof Kernels] === 'function' && !silent.has(name),
    );
    expect(names.length).toBeGreaterThan(10);
    const unseen: string[] = [];
    for (const name of names) {
      spoilt.kernel = name;
      spoilt.calls = 0;
      let isSeen = false;
      for (let seed = 1; seed <= 200 && !isSeen; seed++) {
        const differences = await compareSeed(seed).catch(() => undefined);
        isSeen = !differences || differences.some(({ spikes, predictions }) => spikes + predictions > 0);
      }
      if (!isSeen) unseen.push(`${name}, ${spoilt.calls} calls`);
    }
    expect(unseen).toEqual([]);
  });
});
