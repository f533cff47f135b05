import { z } from 'zod';
import { type EncoderSpec, encoderSchema } from './encoders/index.ts';
import { UserError } from './errors.ts';
import { checkOptions, type Flow, type Parameter, type Shape } from './layer.ts';
import { checkLayer } from './layers/check-layer.ts';
import type { LayerSpec, OwnLayerSpec } from './layers/index.ts';
import { type AnyLayer, isOwn, knownKinds, layerOfKind } from './layers/registry.ts';
import { didYouMean } from './nearest.ts';
import type { Ops } from './ops.ts';

const shape = z.array(z.int().positive()).min(1).readonly();

/** What one example may be. */
export const inputSchema = z.discriminatedUnion('type', [
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
  /** What makes those steps of an example; absent where examples are sequences already. */
  readonly encoder?: EncoderSpec;
  /** Of the kinds of the library, and of those that were registered. */
  readonly layers: readonly LayerSpec[];
}

/** What `defineModel` takes: as `Model`, with `[784]` short for real inputs of that shape. */
export interface ModelDefinition {
  readonly input: Shape | InputSpec;
  /** The encoder's unless given. */
  readonly steps?: number;
  readonly encoder?: z.input<typeof encoderSchema>;
  readonly layers: readonly (LayerSpec | OwnLayerSpec)[];
}

function layerOf({ kind }: LayerSpec): AnyLayer {
  const layer = layerOfKind(kind);
  if (!layer) throw new UserError(`unknown kind of layer ${JSON.stringify(kind)}; register it first`);
  return layer;
}

/** Checks a network and completes its options. Throws a UserError naming the layer that is wrong. */
export function defineModel(definition: ModelDefinition): Model {
  const {
    input,
    encoder,
    steps = encoder && 'steps' in encoder ? encoder.steps : undefined,
    layers: specs,
  } = checkOptions(
    z.strictObject({
      input: z.union([shape, z.looseObject({})]),
      steps: z.int().positive().exactOptional(),
      encoder: encoderSchema.exactOptional(),
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
    ...(encoder && { encoder }),
    layers: checkLayers(specs, 'model'),
  };
  if (encoder && 'steps' in encoder && encoder.steps !== stepsOf(model)) {
    throw new UserError(
      `model: steps is ${steps}, its encoder ${encoder.kind} makes ${encoder.steps}; leave steps out`,
    );
  }
  checkFlow(model.layers, 'model', "the network's input", 'logits');
  for (const place of placesOf(model)) if (isOwn(place.spec.kind)) checkLayer(place);
  const timed =
    stepsOf(model) === 1 && Object.entries(parametersOf(model)).find(([, { perStep }]) => perStep);
  if (timed) {
    throw new UserError(
      `model: ${timed[0]} has numbers for every time step (perStep), the network has no time; give it steps, or leave perStep out`,
    );
  }
  const answer = treeOf(model).at(-1)?.output ?? [];
  if (answer.length !== 1) {
    throw new UserError(
      `model: the readout reports [${answer.join(', ')}]; expected one axis, of classes: put flatten() or globalAveragePool() before the last dense()`,
    );
  }
  return model;
}

type Unchecked = Readonly<Record<string, unknown>> & { readonly kind?: unknown };

/** @param where the layers are: `model`, or a layer of it that holds others */
function checkLayers(specs: readonly Unchecked[], where: string): LayerSpec[] {
  return specs.map(({ kind, ...options }, index) => {
    const layer = layerOfKind(kind);
    if (!layer) {
      throw new UserError(
        `${where} layer ${index}: unknown kind ${JSON.stringify(kind)}${didYouMean(String(kind), knownKinds())}; expected one of ${knownKinds().join(', ')}, or one of your own after registerLayer()`,
      );
    }
    const place = `${where} layer ${index} (${layer.kind})`;
    const spec = { kind, ...checkOptions(layer.options, options, place) } as LayerSpec;
    const inside = layersIn(spec);
    return inside ? ({ ...spec, layers: checkLayers(inside, place) } as LayerSpec) : spec;
  });
}

/** The layers that a layer holds, if it holds some; checked with the model that it is of. */
const layersIn = (spec: LayerSpec): readonly LayerSpec[] | undefined =>
  layerOf(spec).join && (spec as unknown as { readonly layers: readonly LayerSpec[] }).layers;

const flowHint: Record<Flow, string> = {
  signal: 'put a neuron such as binary() between them',
  current: 'put a synapse such as dense() between them',
  logits: 'end the network with readout()',
};

/** @param from what the first layer takes @param expected what the last one must give */
function checkFlow(specs: readonly LayerSpec[], where: string, from: string, expected: Flow): void {
  let flow = 'signal' as Flow;
  specs.forEach((spec, index) => {
    const { takes, gives } = layerOf(spec);
    const place = `${where} layer ${index} (${spec.kind})`;
    if (takes !== flow) {
      const before = index === 0 ? from : `layer ${index - 1} (${specs[index - 1]?.kind})`;
      throw new UserError(`${place}: expected a ${takes}, got the ${flow} of ${before}; ${flowHint[takes]}`);
    }
    const inside = layersIn(spec);
    if (inside) checkFlow(inside, place, `the ${spec.kind}'s input`, gives);
    flow = gives;
  });
  if (flow === expected) return;
  const hint = expected === 'logits' ? flowHint.logits : `end its layers with a neuron such as binary()`;
  throw new UserError(`${where}: the last layer gives ${flow === 'logits' ? '' : 'a '}${flow}; ${hint}`);
}

/** One layer of a model with all that its place in the network decides. */
export interface Place {
  /** Where it is in the list that it is of. */
  readonly index: number;
  /** Unique in the network: `0.dense`, or `3.residual.0.conv2d` of a layer inside another. */
  readonly name: string;
  readonly spec: LayerSpec;
  readonly layer: AnyLayer;
  /** Of the network. */
  readonly steps: number;
  readonly input: Shape;
  readonly output: Shape;
  /** The layers it holds, in order. */
  readonly inside?: readonly Place[];
}

const treeOf = (model: Model): Place[] => placesIn(model.layers, stepsOf(model), model.input.shape, '');

function placesIn(specs: readonly LayerSpec[], steps: number, from: Shape, prefix: string): Place[] {
  let input = from;
  return specs.map((spec, index) => {
    const layer = layerOf(spec);
    const name = `${prefix}${index}.${spec.kind}`;
    const held = layersIn(spec);
    const inside = held && placesIn(held, steps, input, `${name}.`);
    const output = layer.outputShape(spec, input, inside?.at(-1)?.output);
    const place = { index, name, spec, layer, steps, input, output, ...(inside && { inside }) };
    input = output;
    return place;
  });
}

/** The layers of a network in the order in which they are done, with their shapes: one that holds others after those. */
export function placesOf(model: Model): Place[] {
  const listed = (places: readonly Place[]): Place[] =>
    places.flatMap((place) => [...listed(place.inside ?? []), place]);
  return listed(treeOf(model));
}

/** Whether the layer has neurons that fire. */
export const fires = ({ layer }: Place): boolean => layer.gives === 'signal' && !layer.rearranges;

/** Every tensor to learn, by name: `0.dense.weight`. */
export function parametersOf(model: Model): Record<string, Parameter> {
  const found: Record<string, Parameter> = {};
  for (const { name, spec, layer, steps, input } of placesOf(model)) {
    for (const [own, parameter] of Object.entries(layer.parameters(spec, input, steps)))
      found[`${name}.${own}`] = parameter;
  }
  return found;
}

/** Time steps of one example. */
export const stepsOf = (model: Model): number => model.steps ?? 1;

/** Number of classes: how many logits one example gets. */
export const classesOf = (model: Model): number => placesOf(model).at(-1)?.output[0] ?? 0;

/** Told of every layer as a network runs, in the order of `placesOf`, in any arithmetic. */
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
  const through = (places: readonly Place[], from: V): V =>
    places.reduce((signal, place) => {
      const inside = place.inside && through(place.inside, signal);
      observer.before?.(place);
      const output =
        inside === undefined
          ? runLayer(ops, place, parametersAt(place, parameters), signal)
          : joined(ops, place, signal, inside);
      observer.after?.(place, output, signal);
      return output;
    }, from);
  return through(treeOf(model), input);
}

/** The parameters of one layer, by the names it has for them. */
function parametersAt<V>({ name, spec, layer, steps, input }: Place, all: Readonly<Record<string, V>>) {
  const own: Record<string, V> = {};
  for (const key of Object.keys(layer.parameters(spec, input, steps))) {
    const value = all[`${name}.${key}`];
    if (value === undefined) throw new Error(`parameter ${name}.${key} is missing`);
    own[key] = value;
  }
  return own;
}

function joined<V>(ops: Ops<V>, { spec, layer, input, inside = [], name }: Place, from: V, value: V): V {
  const shape = inside.at(-1)?.output;
  if (!layer.join || !shape) throw new Error(`${name} holds layers and cannot join them`);
  return layer.join(ops, spec, { value: from, shape: input }, { value, shape });
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
