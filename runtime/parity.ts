/** Whether devices say the same, to the last bit. */
import type { Inputs } from './examples.ts';
import { type Device, type LoadOptions, openNetwork, type Platform } from './open.ts';
import type { Output } from './outputs.ts';
import type { Source } from './source.ts';

/** An output of which two runs differ. */
export interface Difference {
  readonly output: string;
  /** Numbers whose bits differ. */
  readonly differing: number;
  readonly of: number;
  /** The greatest |a − b|; NaN where one of the two is. */
  readonly largest: number;
}

/** How devices answered the same inputs, held against the first of them. */
export interface Parity {
  readonly reference: Device;
  /** Outputs of the graph and of all its neuron layers. */
  readonly outputs: readonly string[];
  /** Of every other device, what it says differently; none where all bits are the same. */
  readonly differences: readonly (Difference & { readonly device: Device })[];
}

/**
 * Compares what two runs gave, bit by bit.
 *
 * @throws Error where an output is missing in one of them, or has another shape
 */
export function compareOutputs(
  reference: Readonly<Record<string, Output>>,
  other: Readonly<Record<string, Output>>,
): Difference[] {
  return Object.entries(reference).flatMap(([output, a]) => {
    const b = other[output];
    if (!b || String(b.dims) !== String(a.dims)) {
      throw new Error(`output ${output} is [${b?.dims.join(', ')}]; expected [${a.dims.join(', ')}]`);
    }
    const [bits, others] = [bitsOf(a), bitsOf(b)];
    let [differing, largest] = [0, 0];
    for (let index = 0; index < bits.length; index++) {
      if (bits[index] === others[index]) continue;
      differing++;
      largest = Math.max(largest, Math.abs((a.data[index] as number) - (b.data[index] as number)));
    }
    return differing > 0 ? [{ output, differing, of: bits.length, largest }] : [];
  });
}

/** Float32 as integers, so that −0 is not 0 and NaN is NaN. */
const bitsOf = ({ data }: Output): Uint8Array | Uint32Array => {
  if (data instanceof Uint8Array) return data;
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
};

/** Runs the same inputs on several devices of a platform, and compares every output and layer; see `compareDevices`. */
export async function compareOn(
  platform: Platform,
  source: Source,
  inputs: Inputs,
  [reference, ...others]: readonly [Device, ...Device[]],
  options: Omit<LoadOptions, 'device' | 'observe'> = {},
): Promise<Parity> {
  const first = await openNetwork(platform, source, { ...options, device: reference });
  const observe = first.description.layers.flat();
  await first.close();
  const runOn = async (device: Device): Promise<Record<string, Output>> => {
    const network = await openNetwork(platform, source, { ...options, device, observe });
    try {
      return await network.run(inputs);
    } finally {
      await network.close();
    }
  };
  const expected = await runOn(reference);
  const differences: (Difference & { readonly device: Device })[] = [];
  for (const device of others) {
    const found = compareOutputs(expected, await runOn(device));
    for (const difference of found) differences.push({ ...difference, device });
  }
  return { reference, outputs: Object.keys(expected), differences };
}
