import { z } from 'zod';
import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import type { Model as OnnxModel } from '../schemas/onnx/index.ts';

const jsonOf = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);

const metadataSchema = z.object({
  'bitspike.model': jsonOf(
    z.object({ input: z.object({ type: z.enum(['uint8', 'float32']), shape: z.array(z.int().positive()) }) }),
  ),
  'bitspike.weights': jsonOf(z.object({ weights: z.string() })),
  'bitspike.classes': jsonOf(z.array(z.string()).min(1)),
  'bitspike.layers': jsonOf(z.array(z.array(z.string())).min(1)),
});

/** What a model says of itself in its metadata. */
export interface Description {
  readonly inputType: 'uint8' | 'float32';
  /** Of one example. */
  readonly inputShape: readonly number[];
  readonly inputSize: number;
  readonly classNames: readonly string[];
  /** How the weights were chosen: `mean`, or `sample` with its count and seed. */
  readonly weights: { readonly weights: string };
  /** Outputs of the neuron layers, per member of the ensemble: what `observe` takes. */
  readonly layers: readonly (readonly string[])[];
}

/** Reads a model's description. @throws UserError when it is not a model of this toolkit */
export function describe({ metadata }: OnnxModel, file: string): Description {
  if (!metadata.has('bitspike.model')) {
    throw new UserError(
      `${file}: not a bitspike model (its metadata has no bitspike.model); run it with onnxruntime itself`,
    );
  }
  const result = metadataSchema.safeParse(Object.fromEntries(metadata));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new UserError(`${file}: damaged metadata: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const found = result.data;
  const { type, shape } = found['bitspike.model'].input;
  return {
    inputType: type,
    inputShape: shape,
    inputSize: sizeOf(shape),
    classNames: found['bitspike.classes'],
    weights: found['bitspike.weights'],
    layers: found['bitspike.layers'],
  };
}
