import { z } from 'zod';
import { trainingOptionsSchema } from '../../train/index.ts';
import { ownNames, rangeSchema, spaceSchema } from './space.ts';

/** Where the package has the schema, seen from a project that it is installed in. */
export const sweepSchemaPath = './node_modules/bitspike/dist/schemas/generated/bitspike-sweep.schema.json';

const hidden = z
  .union([z.int().positive(), z.array(z.int().positive()).min(1)])
  .meta({ description: 'Sizes of the hidden layers, where neither model nor recipe is given.' });

/** The values of every option that a sweep may change; of parts of options, such as `estimator.mix`, any values. */
function optionsWith(valuesOf: (option: z.ZodType) => z.ZodType): z.ZodType {
  const options: Record<string, z.ZodType> = { ...trainingOptionsSchema.shape, [ownNames[0]]: hidden };
  const entries = Object.entries(options).map(([name, option]) => {
    const { description = '' } = option.meta() ?? {};
    return [name, valuesOf(option).optional().meta({ description })] as const;
  });
  return z.object(Object.fromEntries(entries)).catchall(valuesOf(z.unknown()));
}

const values = (option: z.ZodType): z.ZodType => z.array(option).min(1);

const about = (schema: z.ZodType) => ({ description: schema.meta()?.description ?? '' });

/** The JSON Schema of the file of a sweep, for editors: it completes names, and shows meanings and limits. */
export const sweepJsonSchema = (): object => {
  const { grid, random } = spaceSchema.shape;
  const whole = z.strictObject({
    ...spaceSchema.shape,
    grid: optionsWith(values).optional().meta(about(grid)),
    random: optionsWith((option) => z.union([rangeSchema, values(option)]))
      .optional()
      .meta(about(random)),
  });
  return {
    title: 'A sweep of bitspike',
    allowComments: true,
    allowTrailingCommas: true,
    ...z.toJSONSchema(whole, { io: 'input', unrepresentable: 'any', reused: 'ref' }),
  };
};

/** As the file of the package holds it. */
export const sweepSchemaText = (): string => `${JSON.stringify(sweepJsonSchema(), null, 1)}\n`;
