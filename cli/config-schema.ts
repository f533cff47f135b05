import { z } from 'zod';
import { encoderSchema } from '../schemas/encoders/index.ts';
import { layers } from '../schemas/layers/index.ts';
import { inputSchema } from '../schemas/model.ts';
import { configWith } from './config.ts';

/** Where the package has the schema, seen from a project that it is installed in. */
export const schemaPath = './node_modules/bitspike/dist/schemas/generated/bitspike.schema.json';

type AnyKind = z.ZodObject<{ kind: z.ZodLiteral<string> }>;

/** A layer of any kind. One that holds others holds them as checked as itself. */
const layerSchema: z.ZodType = z.lazy(() => {
  const kinds = Object.entries(layers).map(([kind, { layer }]): AnyKind => {
    const { shape } = layer.options as z.ZodObject;
    const inside = 'layers' in shape ? { layers: z.array(layerSchema).min(1) } : {};
    return z.strictObject({ kind: z.literal(kind), ...shape, ...inside });
  });
  return z.discriminatedUnion('kind', kinds as [AnyKind, ...AnyKind[]]);
});

const modelSchema = z.strictObject({
  input: z
    .union([z.array(z.int().positive()).min(1), inputSchema])
    .meta({ description: 'One example: its shape, or bytes of a scale.' }),
  steps: z.int().positive().exactOptional().meta({ description: 'Time steps of one example.' }),
  encoder: encoderSchema.exactOptional().meta({ description: 'What makes those steps of an example.' }),
  layers: z.array(layerSchema).min(1).meta({ description: 'From the input to the readout.' }),
});

/** The JSON Schema of `bitspike.json`, for editors: it completes names, and shows meanings, limits and defaults. */
export const configJsonSchema = (): object => ({
  title: 'A training of bitspike',
  // VS Code and others then take comments for what they are.
  allowComments: true,
  allowTrailingCommas: true,
  ...z.toJSONSchema(configWith(modelSchema), { io: 'input', unrepresentable: 'any' }),
});

/** As the file of the package holds it. */
export const schemaText = (): string => `${JSON.stringify(configJsonSchema(), null, 1)}\n`;
