import { z } from 'zod';
import { parseJson } from './json.ts';
import { checkOptions } from './layer.ts';

const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: 'SHA-256 in hexadecimal digits.' });
const count = z.int().nonnegative();

const layerSchema = z.strictObject({
  sha256: digest.meta({
    description:
      'SHA-256 of all its spikes: one bit each, the first in the lowest bit; example by example, each from a new byte on, and in an example step by step.',
  }),
  exact: z.boolean().meta({
    description:
      'Whether every runtime must give these very spikes: no order of summation decides any of them.',
  }),
  spikes: count.meta({ description: 'How many of its values are spikes.' }),
  values: count.meta({ description: 'Neurons × steps × examples.' }),
});

const outputSchema = z.strictObject({
  sha256: digest.meta({
    description: 'SHA-256 of its numbers, float32 with the lowest byte first, example by example.',
  }),
  exact: z.boolean().meta({ description: 'Whether every runtime must give these very bits.' }),
});

const deviceSchema = z.strictObject({
  name: z.string(),
  detail: z.string().meta({ description: 'What the device is, with the version of what runs it.' }),
  verdict: z.enum(['identical', 'close', 'different', 'refused']).meta({
    description:
      'identical: all spikes, and all bits that are exact. close: what is not exact differs by rounding, and may decide a few spikes. different: anything more. refused: the device does not open the model.',
  }),
  why: z.string().exactOptional().meta({ description: 'Why the device does not open the model.' }),
  differingSpikes: z.record(z.string(), count).meta({
    description:
      'By layer, how many of its values are a spike in one of the two alone; layers without any are left out.',
  }),
  differingPredictions: count.meta({
    description: 'Examples with another most probable class, among those whose spikes are all the same.',
  }),
  outputs: z.record(
    z.string(),
    z.strictObject({
      identical: z.boolean().meta({ description: 'Whether all its bits are those of the reference.' }),
      largestDifference: z.number().nonnegative().meta({
        description: 'Of any number of it, over the examples whose spikes are all the same.',
      }),
    }),
  ),
});

export const certificateSchema = z
  .strictObject({
    format: z.literal('bitspike certificate 1'),
    model: z.strictObject({
      file: z.string(),
      bytes: count,
      sha256: digest.meta({
        description:
          'Of the .onnx file; where it keeps tensors in other files, of the same model with all of them in it.',
      }),
    }),
    inputs: z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('seeded'),
        count: z.int().positive(),
        seed: count,
        sha256: digest,
      }),
      z.strictObject({
        kind: z.literal('data'),
        count: z.int().positive(),
        data: z.string().meta({ description: 'The examples, as the command line names them.' }),
        sha256: digest,
      }),
    ]),
    reference: z.strictObject({
      layers: z.record(z.string(), layerSchema),
      outputs: z.record(z.string(), outputSchema),
    }),
    oracle: z
      .strictObject({
        differingSpikes: z.record(z.string(), count),
        largestDifference: z.number().nonnegative().meta({ description: 'Of any logit.' }),
      })
      .exactOptional()
      .meta({
        description:
          'What the equations of the layers, run on the frozen network that the file was made of, gave otherwise than the file. It is there where the network was.',
      }),
    devices: z.array(deviceSchema),
    versions: z.record(z.string(), z.string()).meta({ description: 'Of what made the certificate.' }),
  })
  .meta({
    title: 'bitspike certificate',
    description: 'What an exported network answered to known inputs, by the reference and on devices.',
  });

/** What an exported network answered to known inputs: plain data that travels with the model. */
export type Certificate = z.output<typeof certificateSchema>;
/** How a device compares with the reference. */
export type DeviceResult = z.output<typeof deviceSchema>;

/** The JSON Schema of certificates, as published in docs/certificate.schema.json. */
export const certificateJsonSchema = (): object => z.toJSONSchema(certificateSchema);

/** @param source for messages @throws UserError where the text is no certificate */
export const parseCertificate = (text: string | Uint8Array, source: string): Certificate =>
  checkOptions(certificateSchema, parseJson(text, source), source);
