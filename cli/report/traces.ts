import type { Network } from '../../export/index.ts';
import { oracleOps, type Plain, roundingOf } from '../../export/oracle.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { fires, forward, type Model, placesOf, stepsOf } from '../../schemas/model.ts';
import type { Ops } from '../../schemas/ops.ts';
import type { Dataset } from '../../train/index.ts';

/** What the neurons of a layer did for one example. */
export interface LayerTrace {
  readonly layer: string;
  readonly units: number;
  /** When which unit fired. */
  readonly spikes: readonly { readonly time: number; readonly unit: number }[];
  /** Of some units the membrane over its threshold at every step, before it was reset. */
  readonly membranes: readonly { readonly unit: number; readonly values: readonly number[] }[];
}

/** An example on its way through a frozen network. */
export interface SampleTrace {
  readonly sample: number;
  readonly label: number;
  readonly predicted: number;
  readonly steps: number;
  readonly layers: readonly LayerTrace[];
}

/** Units of a layer whose membranes are drawn: those that fire nearest to every other step have most to tell. */
const MEMBRANES = 3;

/**
 * Runs examples through a frozen network in the reference arithmetic and watches its neurons.
 *
 * @param inputs of all examples, as the network takes them
 * @returns none where the network has no time steps
 */
export function tracesOf(
  network: Network,
  inputs: Uint8Array | Float32Array,
  data: Dataset,
  samples: readonly number[],
  predictions: readonly number[],
): SampleTrace[] {
  const { model } = network;
  const steps = stepsOf(model);
  if (steps === 1) return [];
  const size = sizeOf(model.input.shape) * steps;
  return samples.map((sample) => ({
    sample,
    label: data.labels[sample]!,
    predicted: predictions[sample]!,
    steps,
    layers: layersOf(network, inputs.subarray(sample * size, (sample + 1) * size)),
  }));
}

/** What one layer's spikes were decided from, step by step: [units] each. */
interface Watched {
  readonly membranes: Float64Array[];
  readonly spikes: Float64Array[];
}

function layersOf({ model, members }: Network, example: Uint8Array | Float32Array): LayerTrace[] {
  const watched = new Map<string, Watched>();
  let layer = '';
  const seen = (membrane: Plain, threshold: number | Plain, spikes: Plain): void => {
    const found = watched.get(layer) ?? { membranes: [], spikes: [] };
    watched.set(layer, found);
    const limits = typeof threshold === 'number' ? [threshold] : threshold.data;
    const { unit = 1 } = membrane;
    found.membranes.push(membrane.data.map((value, index) => value * unit - limits[index % limits.length]!));
    found.spikes.push(spikes.data);
  };
  const ops = watching(oracleOps(stepsOf(model), roundingOf(model)), seen);
  const [member = {}] = members;
  const parameters = Object.fromEntries(
    Object.entries(member).map(([name, { shape, data }]): [string, Plain] => [
      name,
      { shape, data: Float64Array.from(data) },
    ]),
  );
  forward(ops, model, parameters, inputOf(model, example), {
    before: ({ name }) => {
      layer = name;
    },
  });
  return placesOf(model)
    .filter(fires)
    .flatMap(({ name, output }) => {
      const found = watched.get(name);
      return found ? [traceOf(name, sizeOf(output), found)] : [];
    });
}

const inputOf = ({ input, ...model }: Model, example: Uint8Array | Float32Array): Plain => ({
  shape: [stepsOf({ input, ...model }), ...input.shape],
  data: Float64Array.from(example),
  ...(input.type === 'uint8' && { unit: input.scale }),
});

/** The same arithmetic, which tells of every spike; inside a scan too. */
const watching = (
  ops: Ops<Plain>,
  seen: (membrane: Plain, threshold: number | Plain, spikes: Plain) => void,
): Ops<Plain> => ({
  ...ops,
  spike(membrane, threshold) {
    const spikes = ops.spike(membrane, threshold);
    seen(membrane, threshold, spikes);
    return spikes;
  },
  scan: (over) => ops.scan({ ...over, step: (inner, ...rest) => over.step(watching(inner, seen), ...rest) }),
});

function traceOf(layer: string, units: number, { membranes, spikes }: Watched): LayerTrace {
  // A layer without a state sees all times at once.
  const rows = (of: readonly Float64Array[]): Float64Array[] =>
    of.flatMap((values) =>
      Array.from({ length: values.length / units }, (_, row) =>
        values.subarray(row * units, (row + 1) * units),
      ),
    );
  const fired = rows(spikes);
  const counts = Array.from({ length: units }, (_, unit) => fired.reduce((sum, row) => sum + row[unit]!, 0));
  const shown = counts
    .map((count, unit) => ({ count, unit }))
    .sort((a, b) => Math.abs(a.count - fired.length / 2) - Math.abs(b.count - fired.length / 2))
    .slice(0, MEMBRANES)
    .map(({ unit }) => unit);
  return {
    layer,
    units,
    spikes: fired.flatMap((row, time) =>
      Array.from(row.keys())
        .filter((unit) => row[unit]! > 0)
        .map((unit) => ({ time, unit })),
    ),
    membranes: shown.map((unit) => ({ unit, values: rows(membranes).map((row) => row[unit]!) })),
  };
}
