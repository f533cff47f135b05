import { z } from 'zod';
import { UserError } from './errors.ts';
import { didYouMean } from './nearest.ts';
import type { Ops } from './ops.ts';

/** Sizes of a tensor's axes, without the batch. */
export type Shape = readonly number[];

export const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/**
 * What a parameter is to the posterior.
 *
 * - `weight`: uncertain while training; once frozen −1 or +1, or a real number if its posterior is Gaussian.
 * - `gain`: one real number per channel, learned as a point.
 * - `bias`: one real number per channel, learned as a point with noise of a learned scale that adds to
 *   the variance at the moment of firing.
 * - `decay`: a number between 0 and 1, learned as a point: exp(−1/softplus(raw)), where softplus(raw) is a time
 *   constant in steps.
 * - `threshold`: a real number, learned as a point.
 */
export type ParameterRole = 'weight' | 'gain' | 'bias' | 'decay' | 'threshold';

/** A tensor to learn. */
export interface Parameter {
  readonly shape: Shape;
  readonly role: ParameterRole;
  /** How many inputs one output sums: sets the scale of the starting values. */
  readonly fanIn: number;
  /** The value of a decay or threshold before training. */
  readonly start?: number;
  /** Time constants of decays start between 1/spread and spread times that of `start`, drawn log-uniformly. */
  readonly spread?: number;
  /** The first axis is time, and every step has its own part of it. */
  readonly perStep?: true;
  /** Weights [n, n] of a layer on itself: no unit feeds itself, so the diagonal is 0. */
  readonly noSelfConnection?: true;
}

/**
 * What flows between layers.
 *
 * - `signal`: inputs of the network, spikes, or sums and averages of spikes.
 * - `current`: weighted sums, waiting for a neuron or a readout.
 * - `logits`: what a readout reports; nothing follows it.
 */
export type Flow = 'signal' | 'current' | 'logits';

/** Everything the toolkit knows about one kind of layer. */
export interface Layer<
  Kind extends string,
  Options extends z.ZodObject,
  Name extends string,
  State extends string,
> {
  readonly kind: Kind;

  /** Names, types, limits, units and defaults of the options. */
  readonly options: Options;

  /** What the layer takes from the one before, and what it gives to the next. */
  readonly takes: Flow;
  readonly gives: Flow;

  /** Nothing fires in it, although it gives a signal: that is made of the signals it takes. */
  readonly rearranges?: true;

  /**
   * Shape of one output example, given one input example. Throws a UserError when the input does not fit.
   *
   * @param inside of a layer that holds others, the shape that they give
   */
  outputShape(options: z.output<Options>, input: Shape, inside?: Shape): Shape;

  /** Tensors to learn. @param steps time steps of the network, 1 where it has no time */
  parameters(options: z.output<Options>, input: Shape, steps: number): Record<Name, Parameter>;

  /** Tensors carried from one time step to the next, starting at zero. */
  state(options: z.output<Options>, input: Shape): Record<State, Shape>;

  /**
   * The part of the equation that needs no state, such as a weighted sum of the input: done for all times at once
   * before `step` goes through them. Without it `step` gets the layer's input itself.
   */
  before?<V>(ops: Ops<V>, options: z.output<Options>, parameters: Readonly<Record<Name, V>>, input: V): V;

  /** One time step: the layer's only equation. Where there is no state, all times at once. */
  step<V>(
    ops: Ops<V>,
    options: z.output<Options>,
    parameters: Readonly<Record<Name, V>>,
    state: Readonly<Record<State, V>>,
    input: V,
  ): readonly [output: V, state: Record<State, V>];

  /**
   * Makes the output of a layer that holds others, in an option `layers`: they take its input, one after the other,
   * and this joins it with what they give.
   */
  join?<V>(ops: Ops<V>, options: z.output<Options>, from: Branch<V>, inside: Branch<V>): V;
}

/** A value on the way through a network, and the shape of one example of it. */
export interface Branch<V> {
  readonly value: V;
  readonly shape: Shape;
}

/** A layer as plain data: its kind and all its options. */
export type Described<Kind extends string, Options extends z.ZodObject> = { readonly kind: Kind } & Readonly<
  z.output<Options>
>;

/**
 * Turns a layer into a function that describes it: `dense({ units: 10 })` is `{ kind: 'dense', units: 10 }`.
 * The function checks its options and throws a UserError naming the one that is wrong.
 */
export function defineLayer<
  const Kind extends string,
  Options extends z.ZodObject,
  Name extends string,
  State extends string,
>(layer: Layer<Kind, Options, Name, State>) {
  type Given = z.input<Options>;
  const describe = (
    ...given: Record<never, never> extends Given ? [options?: Given] : [options: Given]
  ): Described<Kind, Options> => ({
    kind: layer.kind,
    ...checkOptions(layer.options, given[0] ?? {}, `${layer.kind}()`),
  });
  return Object.assign(describe, { layer });
}

/** Options with their defaults, or a UserError that says where, what is wrong and what was expected. */
export function checkOptions<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  where: string,
): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new UserError(
    `${where}: ${result.error.issues.map((issue) => explain(issue, schema, given)).join('; ')}`,
  );
}

function explain(issue: z.core.$ZodIssue, schema: z.ZodType, given: unknown): string {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys')
    return `${path && `${path}: `}${issue.message}${meantValue(issue, given)}`;
  const all = keysAt(schema, issue.path);
  // What another kind of the same thing knows is spelt right, and yet not known here.
  const known = all.filter((key) => !issue.keys.includes(key));
  const names = issue.keys
    .map((key) => `'${key}'${all.includes(key) ? '' : didYouMean(key, all)}`)
    .join(', ');
  const place = path ? ` in ${path}` : '';
  return `unknown option ${names}${place}${known.length > 0 ? ` (known: ${known.join(', ')})` : ''}`;
}

/** ` (did you mean gaussian?)` where the value is none of those that there are, but nearly one of them. */
function meantValue(issue: z.core.$ZodIssue, given: unknown): string {
  const value = issue.path.reduce<unknown>(
    (inside, key) => (inside as Readonly<Record<PropertyKey, unknown>>)[key],
    given,
  );
  const known =
    issue.code === 'invalid_value' ? issue.values : 'options' in issue ? (issue.options as unknown[]) : [];
  const words = known.filter((each) => typeof each === 'string');
  const meant = typeof value === 'string' ? didYouMean(value, words) : '';
  if (meant !== '' || issue.code !== 'invalid_union') return meant;
  // Of several forms, one has the value that was meant.
  return issue.errors.flat().reduce((found, inner) => found || meantValue(inner, value), '');
}

/** The options that a schema knows at a place inside it; of a union, those of all its kinds. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const [first, ...rest] = path;
  if (schema instanceof z.ZodObject) {
    if (first === undefined) return Object.keys(schema.shape);
    const inside = (schema.shape as Record<PropertyKey, z.core.$ZodType>)[first];
    return inside ? keysAt(inside, rest) : [];
  }
  if (schema instanceof z.ZodArray) return first === undefined ? [] : keysAt(schema.element, rest);
  if (schema instanceof z.ZodUnion)
    return [...new Set(schema.options.flatMap((option) => keysAt(option, path)))];
  if (schema instanceof z.ZodPipe) return keysAt(schema.out, path);
  if (schema instanceof z.ZodLazy) return keysAt(schema.unwrap(), path);
  return isWrapper(schema) ? keysAt(schema.unwrap(), path) : [];
}

const isWrapper = (schema: z.core.$ZodType): schema is z.ZodDefault | z.ZodOptional | z.ZodReadonly =>
  schema instanceof z.ZodDefault ||
  schema instanceof z.ZodOptional ||
  schema instanceof z.ZodExactOptional ||
  schema instanceof z.ZodReadonly;
