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
}

/** What the names of a member's values begin with: nothing where there is only one. */
export const memberPrefix = (member: number, members: number): string =>
  members === 1 ? '' : `member${member}.`;

const prefix = 'bitspike.';

const schema = z.object({
  model: z.unknown(),
  weights: z.record(z.string(), z.unknown()),
  classes: z.array(z.string()).min(1),
  layers: z.array(z.array(z.string())).min(1),
  likelihood: gaussianSchema.exactOptional(),
});

/** What a description may lack. */
const optional: ReadonlySet<string> = new Set<keyof Description>(['likelihood']);

/** A description as metadata of an ONNX model. */
export const toMetadata = (description: Description): Record<string, string> =>
  Object.fromEntries(
    Object.keys(schema.shape)
      .map((key) => [prefix + key, description[key as keyof Description]] as const)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, JSON.stringify(value)]),
  );

/** Reads the description of an exported network. @throws UserError where it has none, or a damaged one */
export function describe({ metadata }: OnnxModel, file: string): Description {
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
  return { model: modelOfJson(model, file), ...rest };
}
