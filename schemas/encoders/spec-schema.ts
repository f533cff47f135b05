import { z } from 'zod';

/** One kind of a thing that plain data describe: `{ kind, …options }`. */
interface Definition {
  readonly kind: string;
  readonly options: z.ZodObject;
}

type SpecOf<Known> = Known extends {
  readonly kind: infer Kind extends string;
  readonly options: z.ZodObject<infer Options>;
}
  ? z.ZodObject<{ kind: z.ZodLiteral<Kind> } & Options, z.core.$strict>
  : never;

/** The schema of plain data of any of several kinds. @param what how messages call it, such as `an encoder` */
export function specSchema<Known extends Definition>(what: string, definitions: readonly Known[]) {
  const specs = definitions.map(({ kind, options }) =>
    z.strictObject({ kind: z.literal(kind), ...options.shape }),
  );
  return z.discriminatedUnion('kind', specs as unknown as [SpecOf<Known>, ...SpecOf<Known>[]], {
    error: ({ code }) =>
      code === 'invalid_union'
        ? `expected ${what} of one of the kinds ${definitions.map(({ kind }) => kind).join(', ')}`
        : undefined,
  });
}
