import { z } from 'zod';
import { UserError } from './errors.ts';
import { modelOfJson, parseJson } from './json.ts';
import { checkOptions } from './layer.ts';
import { type GaussianLikelihood, gaussianSchema } from './likelihood.ts';
import type { Model } from './model.ts';
import type { Model as OnnxModel } from './onnx/index.ts';

/** What an exported network says of itself in its metadata, under the keys `bitspike.model`, `bitspike.weights`, … */
export interface Description {
  readonly model: Model;
  /** How the weights were chosen: `mean`, `sample` with its count and seed, or `real`. */
  readonly weights: Readonly<Record<string, unknown>>;
  readonly classes: readonly string[];
  /** Of a regression, whose outputs `classes` names; without it they are classes. */
  readonly likelihood?: GaussianLikelihood;
  /** Outputs of the neuron layers, per member of the ensemble: what `load(…, { observe })` takes. */
  readonly layers: readonly (readonly string[])[];
  /** How an example becomes what the graph is fed, for whoever has no toolkit: the model says it too. */
  readonly input?: InputDescription;
  /** What each kind of layer computes at one step, in words: as many of each as there are different ones. */
  readonly equations?: Readonly<Record<string, readonly string[]>>;
  /** SHA-256 of the model and all its numbers: the same in every form in which a network is written. */
  readonly network?: string;
  /** Of a network that is fed a stream: what it carries from one call to the next. */
  readonly states?: readonly StateDescription[];
  /** Of a network that takes the noise of its posterior: the inputs that it comes by. */
  readonly noise?: readonly NoiseDescription[];
}

/** An input of a graph that takes standard noise: independent numbers, new ones for every call. */
export interface NoiseDescription {
  readonly input: string;
  /** [time, batch, …units] or [batch, …units]; 'time' and 'batch' stand for sizes that a caller chooses. */
  readonly dims: readonly (number | string)[];
  /** gaussian: N(0, 1). logistic: of scale 1, with a standard deviation of π/√3. */
  readonly distribution: 'gaussian' | 'logistic';
}

/** What a graph is fed. */
export interface InputDescription {
  readonly type: 'uint8' | 'float32';
  /** Of one example at one step. */
  readonly shape: readonly number[];
  /** The value of a byte is byte × scale. */
  readonly scale?: number;
  readonly steps?: number;
  /** Where steps are of equal length. */
  readonly secondsPerStep?: number;
  /** What makes steps of examples, with its options. */
  readonly encoder?: Readonly<Record<string, unknown>>;
}

/** A state of a network that is fed a stream: an input and an output of its graph. Before the first call it is zero. */
export interface StateDescription {
  /** Layer and state, `1.lif.membrane`; of an ensemble `member0.1.lif.membrane`. */
  readonly name: string;
  readonly input: string;
  /** What the next call takes as `input`. */
  readonly output: string;
  readonly type: 'float32' | 'uint8';
  /** Sizes; 'batch' stands for the number of examples. */
  readonly dims: readonly (number | string)[];
}

/** What the names of a member's values begin with: nothing where there is only one. */
export const memberPrefix = (member: number, members: number): string =>
  members === 1 ? '' : `member${member}.`;

const prefix = 'bitspike.';

const stateSchema = z.object({
  name: z.string(),
  input: z.string(),
  output: z.string(),
  type: z.enum(['float32', 'uint8']),
  dims: z.array(z.union([z.int().positive(), z.string()])),
});

const sizes = z.array(z.int().positive());

const inputSchema = z.object({
  type: z.enum(['uint8', 'float32']),
  shape: sizes,
  scale: z.number().exactOptional(),
  steps: z.int().positive().exactOptional(),
  secondsPerStep: z.number().exactOptional(),
  encoder: z.record(z.string(), z.unknown()).exactOptional(),
});

const noiseSchema = z.object({
  input: z.string(),
  dims: z.array(z.union([z.int().positive(), z.string()])),
  distribution: z.enum(['gaussian', 'logistic']),
});

const schema = z.object({
  model: z.unknown(),
  weights: z.record(z.string(), z.unknown()),
  classes: z.array(z.string()).min(1),
  layers: z.array(z.array(z.string())).min(1),
  likelihood: gaussianSchema.exactOptional(),
  input: inputSchema.exactOptional(),
  equations: z.record(z.string(), z.array(z.string())).exactOptional(),
  network: z.string().exactOptional(),
  states: z.array(stateSchema).exactOptional(),
  noise: z.array(noiseSchema).exactOptional(),
});

/** What a description may lack. */
const optional: ReadonlySet<string> = new Set<keyof Description>([
  'likelihood',
  'input',
  'equations',
  'network',
  'states',
  'noise',
]);

/** A description as metadata of an ONNX model. */
export const toMetadata = (description: Description): Record<string, string> =>
  Object.fromEntries(
    Object.keys(schema.shape)
      .map((key) => [prefix + key, description[key as keyof Description]] as const)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, JSON.stringify(value)]),
  );

/** Reads the description of an exported network. @throws UserError where it has none, or a damaged one */
export function describe({ metadata, graph }: OnnxModel, file: string): Description {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(schema.shape)) {
    const text = metadata.get(prefix + key);
    if (text === undefined && optional.has(key)) continue;
    if (text === undefined) {
      throw new UserError(
        `${file}: not a bitspike model (its metadata has no ${prefix}${key}); expected one that bitspike exported`,
      );
    }
    found[key] = parseJson(text, `${file}: metadata: ${prefix}${key}`);
  }
  const { model, ...rest } = checkOptions(schema, found, `${file}: metadata`);
  const named = [...(rest.states ?? []), ...(rest.noise ?? [])].map(({ input }) => input);
  const known = new Set(['input', ...named]);
  const odd = graph.inputs.find(({ name }) => !known.has(String(name)));
  if (odd) {
    throw new UserError(
      `${file}: its graph takes '${odd.name}', which its metadata do not describe; export it again`,
    );
  }
  return { model: modelOfJson(model, file), ...rest };
}
