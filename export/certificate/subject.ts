import { type Description, describe } from '../../schemas/description.ts';
import { UserError } from '../../schemas/errors.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { placesOf, stepsOf } from '../../schemas/model.ts';
import {
  type Dimension,
  type Model as OnnxModel,
  readModel,
  type Value,
  writeModel,
} from '../../schemas/onnx/index.ts';
import { seededNoise } from './inputs.ts';

/** Numbers with a shape, as runners of the runtime take and give them. */
export interface FedTensor {
  readonly type: 'uint8' | 'float32';
  readonly dims: readonly number[];
  readonly data: Uint8Array | Float32Array;
}

export type Feeds = Readonly<Record<string, FedTensor>>;

/** An output of the graph that answers, not one that carries a state. */
export interface Answer {
  readonly name: string;
  /** Which of its axes is the batch. */
  readonly axis: number;
}

/** A model that is to be certified: what to feed it, and what to look at. */
export interface Subject {
  readonly model: OnnxModel;
  readonly description: Description;
  readonly file: string;
  /** The same model with the spikes of all its layers as outputs. */
  readonly observed: Uint8Array;
  /** Values that hold spikes. */
  readonly layers: readonly string[];
  readonly answers: readonly Answer[];
  /** Time steps of an example. */
  readonly steps: number;
  /** Examples that are run at a time. */
  readonly batch: number;
}

/** Values of layers, of all examples of a batch, that may be in memory at a time. */
const VALUES = 4e6;

/** @throws UserError where the bytes are no model of this toolkit */
export function subjectOf(bytes: Uint8Array, file: string): Subject {
  const model = readModel(bytes, file);
  const description = describe(model, file);
  const { graph } = model;
  const carried = new Set(description.states?.map(({ output }) => output));
  const layers = description.layers.flat();
  const outputs = new Set<string>(graph.outputs.map(({ name }) => name));
  const answers = graph.outputs
    .filter(({ name, type }) => type === 'float32' && !carried.has(name) && !layers.includes(name))
    .map(({ name, dims }) => ({ name, axis: Math.max(0, dims?.indexOf('batch') ?? 0) }));
  for (const name of layers) {
    if (!graph.has(name))
      throw new UserError(`${file}: its metadata name the layer '${name}', which it has not`);
    if (!outputs.has(name)) graph.output(name as Value, 'uint8');
  }
  const steps = stepsOf(description.model);
  const values = placesOf(description.model).reduce((sum, { output }) => sum + sizeOf(output), 0) * steps;
  return {
    model,
    description,
    file,
    observed: writeModel(model),
    layers,
    answers,
    steps,
    batch: Math.max(1, Math.min(Math.floor(1024 / steps), Math.floor(VALUES / values))),
  };
}

/** Examples, time first, and what else the graph takes. States are not among it. */
export function feedsOf(
  { model, description, file, steps }: Subject,
  examples: Uint8Array | Float32Array,
  first: number,
  seed: number,
): { readonly feeds: Feeds; readonly batch: number } {
  const { input } = description.model;
  const width = sizeOf(input.shape);
  const batch = examples.length / (steps * width);
  const states = new Set(description.states?.map((state) => state.input));
  const dimsOf = (input: string) => model.graph.inputs.find(({ name }) => name === input)?.dims;
  // Whatever stands before the batch is time: any number of steps, or the one that the graph is written for.
  const timeOf = (dims: readonly Dimension[] | undefined): number[] => (dims?.[1] === 'batch' ? [steps] : []);
  const feeds: Record<string, FedTensor> = {
    input: {
      type: input.type,
      dims: [...timeOf(dimsOf('input')), batch, ...input.shape],
      data: timeFirst(examples, steps, width),
    },
  };
  for (const { name, dims } of model.graph.inputs) {
    if (name === 'input' || states.has(name)) continue;
    if (!name.startsWith('noise.')) throw new UserError(`${file}: has an input '${name}' that is not known`);
    const units = (dims ?? []).slice((dims ?? []).indexOf('batch') + 1).map(Number);
    const size = sizeOf(units);
    const draws = new Float32Array(batch * steps * size);
    for (let example = 0; example < batch; example++)
      draws.set(seededNoise(name, first + example, steps * size, seed), example * steps * size);
    feeds[name] = {
      type: 'float32',
      dims: [...timeOf(dims), batch, ...units],
      data: timeFirst(draws, steps, size),
    };
  }
  return { feeds, batch };
}

/** [batch, time, …] → [time, batch, …]. @param width numbers in one step of one example */
export function timeFirst<Data extends Uint8Array | Float32Array>(
  examples: Data,
  steps: number,
  width: number,
): Data {
  if (steps === 1) return examples;
  const turned = examples.slice() as Data;
  const batch = examples.length / (steps * width);
  for (let example = 0; example < batch; example++) {
    for (let step = 0; step < steps; step++) {
      const from = (example * steps + step) * width;
      turned.set(examples.subarray(from, from + width), (step * batch + example) * width);
    }
  }
  return turned;
}

/** States as they are before the first step. */
export const zeroStates = ({ description }: Subject, batch: number): Feeds =>
  Object.fromEntries(
    (description.states ?? []).map(({ input, type, dims }): [string, FedTensor] => {
      const sizes = dims.map((size) => (size === 'batch' ? batch : Number(size)));
      const data = type === 'uint8' ? new Uint8Array(sizeOf(sizes)) : new Float32Array(sizeOf(sizes));
      return [input, { type, dims: sizes, data }];
    }),
  );

/** Some steps of feeds whose first axis is time. */
export const stepsFrom = (feeds: Feeds, start: number, end: number): Feeds =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { type, dims, data }]) => {
      const [steps = 1, ...rest] = dims;
      const size = data.length / steps;
      return [name, { type, dims: [end - start, ...rest], data: data.slice(start * size, end * size) }];
    }),
  );
