import { z } from 'zod';
import { UserError } from './errors.ts';
import { modelOfJson, parseJson } from './json.ts';
import { checkOptions } from './layer.ts';
import type { Model } from './model.ts';
import type { Model as OnnxModel } from './onnx/index.ts';

/** What an exported network says of itself in its metadata, under the keys `bitspike.model`, `bitspike.weights`, … */
export interface Description {
  readonly model: Model;
  /** How the weights were chosen: `mean`, `sample` with its count and seed, or `real`. */
  readonly weights: Readonly<Record<string, unknown>>;
  readonly classes: readonly string[];
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
});

/** A description as metadata of an ONNX model. */
export const toMetadata = (description: Description): Record<string, string> =>
  Object.fromEntries(
    Object.keys(schema.shape).map((key) => [
      prefix + key,
      JSON.stringify(description[key as keyof Description]),
    ]),
  );

/** Reads the description of an exported network. @throws UserError where it has none, or a damaged one */
export function describe({ metadata }: OnnxModel, file: string): Description {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(schema.shape)) {
    const text = metadata.get(prefix + key);
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
