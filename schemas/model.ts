import { z } from 'zod';
import { UserError } from './errors.ts';
import { checkOptions, type Flow, type Layer, type Parameter, type Shape } from './layer.ts';
import { type LayerKind, type LayerSpec, layers } from './layers/index.ts';
import type { Ops } from './ops.ts';

const shape = z.array(z.int().positive()).min(1).readonly();

const inputSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('float32'),
    shape: shape.meta({ description: 'One example, without the batch.' }),
  }),
  z.strictObject({
    type: z.literal('uint8'),
    shape: shape.meta({ description: 'One example, without the batch.' }),
    scale: z.number().positive().meta({ description: 'The value of a byte is byte × scale.' }),
  }),
]);

/**
 * What one input example is. Bytes keep the first layer's sums whole numbers, so an exported network is exact
 * and uses integer kernels from its first layer on.
 */
export type InputSpec = z.output<typeof inputSchema>;

/** A network as plain data: it can be saved, compared and printed. */
export interface Model {
  readonly input: InputSpec;
  /** Time steps of one example, each of the input's shape; absent where there is no time. */
  readonly steps?: number;
  readonly layers: readonly LayerSpec[];
}

/** What `defineModel` takes: as `Model`, with `[784]` short for real inputs of that shape. */
export interface ModelDefinition {
  readonly input: Shape | InputSpec;
  readonly steps?: number;
  readonly layers: readonly LayerSpec[];
}

// A spec always carries the options of its own kind, so the cast is safe.
type AnyLayer = Layer<string, z.ZodObject, string, string>;
const layerOf = (spec: LayerSpec): AnyLayer => layers[spec.kind].layer as unknown as AnyLayer;

const isKind = (kind: unknown): kind is LayerKind => typeof kind === 'string' && Object.hasOwn(layers, kind);

/** Checks a network and completes its options. Throws a UserError naming the layer that is wrong. */
export function defineModel(definition: ModelDefinition): Model {
  const {
    input,
    steps,
    layers: specs,
  } = checkOptions(
    z.strictObject({
      input: z.union([shape, z.looseObject({})]),
      steps: z.int().positive().exactOptional(),
      layers: z.array(z.looseObject({ kind: z.unknown().optional() })).min(1),
    }),
    definition,
    'model',
  );
  const model: Model = {
    input: checkOptions(
      inputSchema,
      Array.isArray(input) ? { type: 'float32', shape: input } : input,
      'model input',
    ),
    ...(steps !== undefined && steps > 1 && { steps }),
    layers: specs.map(checkLayer),
  };
  checkFlow(model);
  walk(model, () => {});
  return model;
}

function checkLayer({ kind, ...options }: { kind?: unknown }, index: number): LayerSpec {
  if (!isKind(kind)) {
    throw new UserError(
      `model layer ${index}: unknown kind ${JSON.stringify(kind)}; expected one of ${Object.keys(layers).join(', ')}`,
    );
  }
  const checked = checkOptions(layers[kind].layer.options, options, `model layer ${index} (${kind})`);
  return { kind, ...checked } as LayerSpec;
}

const flowHint: Record<Flow, string> = {
  signal: 'put a neuron such as binary() between them',
  current: 'put a synapse such as dense() between them',
  logits: 'end the network with readout()',
};

function checkFlow(model: Model): void {
  let flow = 'signal' as Flow;
  model.layers.forEach((spec, index) => {
    const { takes, gives } = layerOf(spec);
    if (takes !== flow) {
      const before =
        index === 0 ? "the network's input" : `layer ${index - 1} (${model.layers[index - 1]?.kind})`;
      throw new UserError(
        `model layer ${index} (${spec.kind}): expected a ${takes}, got the ${flow} of ${before}; ${flowHint[takes]}`,
      );
    }
    flow = gives;
  });
  if (flow !== 'logits') throw new UserError(`model: the last layer gives a ${flow}; ${flowHint.logits}`);
}

/** One layer of a model with all that its place in the network decides. */
export interface Place {
  readonly index: number;
  /** Unique in the network: `0.dense`. */
  readonly name: string;
  readonly spec: LayerSpec;
  readonly layer: AnyLayer;
  readonly input: Shape;
  readonly output: Shape;
}

function walk(model: Model, visit: (place: Place) => void): void {
  let input: Shape = model.input.shape;
  model.layers.forEach((spec, index) => {
    const layer = layerOf(spec);
    const output = layer.outputShape(spec, input);
    visit({ index, name: `${index}.${spec.kind}`, spec, layer, input, output });
    input = output;
  });
}

/** The layers of a network in order, with their shapes. */
export function placesOf(model: Model): Place[] {
  const places: Place[] = [];
  walk(model, (place) => places.push(place));
  return places;
}

/** Every tensor to learn, by name: `0.dense.weight`. */
export function parametersOf(model: Model): Record<string, Parameter> {
  const found: Record<string, Parameter> = {};
  for (const { name, spec, layer, input } of placesOf(model)) {
    for (const [own, parameter] of Object.entries(layer.parameters(spec, input)))
      found[`${name}.${own}`] = parameter;
  }
  return found;
}

/** Time steps of one example. */
export const stepsOf = (model: Model): number => model.steps ?? 1;

/** Number of classes: how many logits one example gets. */
export const classesOf = (model: Model): number => placesOf(model).at(-1)?.output[0] ?? 0;

/** Told of every layer as a network runs, in any arithmetic. */
export interface Observer<V> {
  before?(place: Place): void;
  after?(place: Place, output: V, input: V): void;
}

/**
 * Runs a network in any arithmetic. Layers without a state see all times at once, the others step by step.
 *
 * @param parameters by name, as `parametersOf` names them
 * @param input one batch, [time × batch, …] in the interpreter's own representation
 * @returns the logits
 */
export function forward<V>(
  ops: Ops<V>,
  model: Model,
  parameters: Readonly<Record<string, V>>,
  input: V,
  observer: Observer<V> = {},
): V {
  let signal = input;
  for (const place of placesOf(model)) {
    const { name, spec, layer } = place;
    const own: Record<string, V> = {};
    for (const key of Object.keys(layer.parameters(spec, place.input))) {
      const value = parameters[`${name}.${key}`];
      if (value === undefined) throw new Error(`parameter ${name}.${key} is missing`);
      own[key] = value;
    }
    observer.before?.(place);
    const output = runLayer(ops, place, own, signal);
    observer.after?.(place, output, signal);
    signal = output;
  }
  return signal;
}

function runLayer<V>(
  ops: Ops<V>,
  { spec, layer, input: shape }: Place,
  parameters: Readonly<Record<string, V>>,
  signal: V,
): V {
  const input = layer.before?.(ops, spec, parameters, signal) ?? signal;
  const state = layer.state(spec, shape);
  if (Object.keys(state).length === 0) return layer.step(ops, spec, parameters, {}, input)[0];
  return ops.scan({
    input,
    parameters,
    state,
    step: (inner, own, before, current) => layer.step(inner, spec, own, before, current),
  });
}
