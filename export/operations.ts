import { type Flow, type Shape, sizeOf } from '../schemas/layer.ts';
import { forward, type Model, parametersOf, type Place, placesOf, stepsOf } from '../schemas/model.ts';
import { CountingOps } from './counting-ops.ts';

/** What a weighted sum adds up: bytes, spikes of 0 or 1, small whole numbers of spikes, or real numbers. */
export type Operand = 'bytes' | 'spikes' | 'counts' | 'real';

/** What one layer computes for one example, all its time steps together. */
export interface LayerOperations {
  readonly name: string;
  /** Of its weighted sums; absent where it has none. */
  readonly operand?: Operand;
  /** Products of a weight and an input that its sums are of, if every input counts. */
  readonly synaptic: number;
  /** Those whose input was not 0, on average over the examples; absent without examples. */
  readonly triggered?: number;
  /** Additions and comparisons, and multiplications, of its equation on real numbers: gains, biases, membranes. */
  readonly additions: number;
  readonly multiplications: number;
}

/** What a network computes for one example. */
export interface Operations {
  readonly layers: readonly LayerOperations[];
  readonly synaptic: number;
  readonly triggered?: number;
  /** Of the synaptic ones, those of a weight of one bit and a spike: an AND and a count. */
  readonly binary: number;
  readonly additions: number;
  readonly multiplications: number;
}

/** What a network was fed, and what its neurons made of it: of each layer [time × batch, …], spikes above 0. */
export interface Activity {
  readonly examples: number;
  /** [time × batch, …], time outermost. */
  readonly inputs: ArrayLike<number>;
  readonly layers: Readonly<Record<string, ArrayLike<number>>>;
}

/**
 * Counts what a network computes for one example: of its layers' equations, whatever a runtime makes of them.
 *
 * @param isReal whether the weights of that name are real numbers, not bits
 * @param activity spikes that were counted; without, only what is there to compute if all fire
 */
export function countOperations(
  model: Model,
  isReal: (weight: string) => boolean,
  activity?: Activity,
): Operations {
  const steps = stepsOf(model);
  const ops = new CountingOps(steps, activity);
  const parameters = Object.fromEntries(
    Object.entries(parametersOf(model)).map(([name, parameter]) => [
      name,
      ops.parameter(parameter.shape, parameter.noSelfConnection === true),
    ]),
  );
  const { shape, type } = model.input;
  const input = ops.signal(shape, type === 'uint8' ? 'bytes' : 'real', activity?.inputs);
  forward(ops, model, parameters, input, {
    before: ({ name }: Place) => ops.enter(name),
  });
  const layers = placesOf(model).map(({ name }) => ops.layer(name));
  const total = (count: (layer: LayerOperations) => number): number =>
    layers.reduce((sum, layer) => sum + count(layer), 0);
  return {
    layers,
    synaptic: total(({ synaptic }) => synaptic),
    ...(activity && { triggered: total(({ triggered = 0 }) => triggered) }),
    binary: total((layer) =>
      layer.operand === 'spikes' && !isReal(`${layer.name}.weight`) ? layer.synaptic : 0,
    ),
    additions: total(({ additions }) => additions),
    multiplications: total(({ multiplications }) => multiplications),
  };
}

/** Picojoules of one operation. */
export interface EnergyTable {
  /** Of integers: what adding an input to a sum takes, or taking it off. */
  readonly integerAdd: number;
  readonly floatAdd: number;
  readonly floatMultiply: number;
}

/**
 * Of 32 bits in 45 nm at 0.9 V: M. Horowitz, Computing's Energy Problem (and what we can do about it), ISSCC 2014,
 * doi 10.1109/ISSCC.2014.6757323. Memory is not in it, and often takes more than the arithmetic.
 */
export const energy45nm: EnergyTable = { integerAdd: 0.1, floatAdd: 0.9, floatMultiply: 3.7 };

/** Joules for one example. */
export interface Energy {
  /** If every input counts. */
  readonly dense: number;
  /** If only inputs that are not 0 cost something, as in event-driven hardware. */
  readonly triggered?: number;
  /** Of the same sums as products of 32-bit floats, for comparison. */
  readonly float: number;
}

const joules = (picojoules: number): number => picojoules * 1e-12;

/** An estimate of the energy of the arithmetic alone: no memory, no control, no clock. */
export function energyOf(
  { layers, triggered }: Operations,
  isReal: (weight: string) => boolean,
  { integerAdd, floatAdd, floatMultiply }: EnergyTable = energy45nm,
): Energy {
  let [dense, event, float] = [0, 0, 0];
  for (const layer of layers) {
    const { name, operand, synaptic, additions, multiplications } = layer;
    const real = isReal(`${name}.weight`);
    // A weight of ±1 adds its input or takes it off; a spike adds its weight.
    const add = real || operand === 'real' ? floatAdd : integerAdd;
    const each = add + (real && operand !== 'spikes' ? floatMultiply : 0);
    const rest = additions * floatAdd + multiplications * floatMultiply;
    dense += synaptic * each + rest;
    event += (layer.triggered ?? 0) * each + rest;
    float += synaptic * (floatAdd + floatMultiply) + rest;
  }
  return {
    dense: joules(dense),
    ...(triggered !== undefined && { triggered: joules(event) }),
    float: joules(float),
  };
}

/** Bytes that one example takes while a network runs on it. */
export interface Memory {
  /** Weights as integer kernels hold them, a byte each, or as four where they are real. */
  readonly weights: number;
  /** The largest input and output of a layer together, a step at a time: a byte for a spike, four for a current. */
  readonly activations: number;
  /** Membranes and other states, in float32. */
  readonly states: number;
}

const bytesOf = (shape: Shape, flow: Flow): number => sizeOf(shape) * (flow === 'signal' ? 1 : 4);

/** What a network holds in memory at most, by its shapes: an estimate that leaves out what a runtime adds. */
export function memoryOf(model: Model, isReal: (weight: string) => boolean, members = 1): Memory {
  const weights = Object.entries(parametersOf(model))
    .filter(([, { role }]) => role === 'weight')
    .reduce((sum, [name, { shape }]) => sum + sizeOf(shape) * (isReal(name) ? 4 : 1), 0);
  const places = placesOf(model);
  const activations = places.map(
    ({ layer, input, output }) => bytesOf(input, layer.takes) + bytesOf(output, layer.gives),
  );
  const states = places.flatMap(({ layer, spec, input }) => Object.values(layer.state(spec, input)));
  return {
    weights: members * weights,
    activations: Math.max(...activations),
    states: members * states.reduce((sum, shape) => sum + 4 * sizeOf(shape), 0),
  };
}
