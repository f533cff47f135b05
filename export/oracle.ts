import { type Shape, sizeOf } from '../schemas/layer.ts';
import { forward, type Place } from '../schemas/model.ts';
import type { Ops } from '../schemas/ops.ts';
import type { Member, Network } from './freeze.ts';

/** A plain array of float64: activations [batch, …], parameters without a batch. */
export interface Plain {
  readonly shape: Shape;
  readonly data: Float64Array;
}

const plain = (shape: Shape, data: Float64Array): Plain => ({ shape, data });

/** The last axis of `x` combined with a vector of its length. */
function perChannel(x: Plain, vector: Plain, combine: (value: number, channel: number) => number): Plain {
  const channels = vector.data.length;
  return plain(
    x.shape,
    x.data.map((value, index) => combine(value, vector.data[index % channels] as number)),
  );
}

/**
 * The reference interpreter: every operation as its definition says, in float64, with no regard to speed.
 *
 * It is what every other way to run a frozen network is held against.
 */
export const oracleOps: Ops<Plain> = {
  linear(x, weight) {
    const [inputs, outputs] = weight.shape as [number, number];
    const rows = x.data.length / inputs;
    const sums = new Float64Array(rows * outputs);
    for (let row = 0; row < rows; row++) {
      const sum = sums.subarray(row * outputs, (row + 1) * outputs);
      for (let input = 0; input < inputs; input++) {
        const value = x.data[row * inputs + input] as number;
        // Most inputs of a binary network are zero, and zeros add nothing.
        if (value === 0) continue;
        const offset = input * outputs;
        for (let output = 0; output < outputs; output++) {
          sum[output] = (sum[output] as number) + value * (weight.data[offset + output] as number);
        }
      }
    }
    return plain([...x.shape.slice(0, -1), outputs], sums);
  },
  multiply: (x, factor) => perChannel(x, factor, (value, by) => value * by),
  add: (x, term) => perChannel(x, term, (value, by) => value + by),
  spike: (membrane, threshold) =>
    plain(
      membrane.shape,
      membrane.data.map((value) => (value > threshold ? 1 : 0)),
    ),
  read: (current) => current,
};

/** What the oracle found for a batch. */
export interface OracleResult {
  /** [batch, classes] */
  readonly logits: Float64Array;
  /** Outputs of every layer by name, [batch, …]. */
  readonly layers: Readonly<Record<string, Float64Array>>;
}

/**
 * Runs one member of a frozen network in float64.
 *
 * @param inputs [batch, …]: bytes where the model takes bytes, else the values themselves
 */
export function runOracle(
  { model }: Network,
  member: Member,
  inputs: Uint8Array | Float32Array,
): OracleResult {
  const { input } = model;
  const scale = input.type === 'uint8' ? input.scale : 1;
  const batch = inputs.length / sizeOf(input.shape);
  const parameters: Record<string, Plain> = {};
  for (const [name, { shape, data }] of Object.entries(member))
    parameters[name] = plain(shape, Float64Array.from(data));
  const layers: Record<string, Float64Array> = {};
  const after = ({ name }: Place, output: Plain): void => {
    layers[name] = output.data;
  };
  const start = plain(
    [batch, ...input.shape],
    Float64Array.from(inputs, (value) => value * scale),
  );
  const logits = forward(oracleOps, model, parameters, start, { after });
  return { logits: logits.data, layers };
}
