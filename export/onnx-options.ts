import { z } from 'zod';

/** The version of the format that came with each version of the operators. */
export const irVersionOf = { 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13 } as const;

const opsets = [21, 22, 23, 24, 25, 26] as const satisfies readonly (keyof typeof irVersionOf)[];

/** How a network is written as ONNX. */
export const onnxOptionsSchema = z.strictObject({
  form: z.enum(['whole', 'stream']).default('whole').meta({
    description:
      'whole: a call sees whole examples, sequences from their first step on. stream: a call sees any number of steps, and gives states that the next call takes.',
  }),
  target: z.enum(['any', 'gpu']).default('any').meta({
    description:
      'any: integers, which processors have fast kernels for. gpu: float32 throughout, which runs whole on a GPU; the same spikes, and still one bit per weight in the file.',
  }),
  unroll: z.boolean().exactOptional().meta({
    description:
      'Whether the steps of a sequence are written one after another instead of as a loop, which fixes their number. Unless given, for a GPU and up to ten steps.',
  }),
  opset: z.literal(opsets).default(21).meta({ description: 'Version of the ONNX operators, 21 to 26.' }),
  functions: z.boolean().default(true).meta({
    description: 'Whether the nodes of each layer sit in a function of its name, which runtimes inline.',
  }),
});

/** How a frozen network is written: options of `toOnnx`. */
export type OnnxOptions = z.input<typeof onnxOptionsSchema>;
export type CheckedOnnxOptions = z.output<typeof onnxOptionsSchema>;
