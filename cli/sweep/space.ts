/** What a sweep tries: every combination of a grid, or draws at random. */
import { z } from 'zod';
import { UserError } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest.ts';
import { Random } from '../../schemas/random.ts';
import { type TrainingSettings, trainingOptionsSchema } from '../../train/index.ts';

const valueSchema = z.unknown().refine((value) => value !== undefined);

/** Numbers from one to another, drawn evenly on a linear or a logarithmic scale; whole ones where asked for. */
export const rangeSchema = z
  .strictObject({
    from: z.number(),
    to: z.number(),
    scale: z.enum(['linear', 'log']).default('linear'),
    whole: z.boolean().default(false),
  })
  .refine(({ from, to }) => from < to, { error: 'expected from < to' })
  .refine(({ from, scale }) => scale === 'linear' || from > 0, {
    error: 'a logarithmic scale goes between numbers above 0',
  });

export const spaceSchema = z.strictObject({
  $schema: z.string().exactOptional().meta({ description: 'Where editors find what may stand here.' }),
  grid: z
    .record(z.string(), z.array(valueSchema).min(1))
    .default({})
    .meta({ description: 'Options by name, each with the values to try: all combinations.' }),
  random: z
    .record(z.string(), z.union([rangeSchema, z.array(valueSchema).min(1)]))
    .default({})
    .meta({ description: 'Options by name, each with the values to draw from, or a range.' }),
  runs: z
    .int()
    .positive()
    .max(10_000)
    .exactOptional()
    .meta({ description: 'Draws at random; 10 unless given.' }),
  seed: z.int().min(0).default(1).meta({ description: 'Decides what is drawn.' }),
});

export type Space = Omit<z.output<typeof spaceSchema>, '$schema'>;
type Range = z.output<typeof rangeSchema>;

/** One training of a sweep: the options that set it apart, by name, such as `estimator.mix`. */
export type Choice = Readonly<Record<string, unknown>>;

/** More jobs than anyone waits for are taken for a mistake. */
const MOST = 10_000;

/**
 * The trainings of a sweep, in their order. A grid goes through all combinations, the last option fastest; where there
 * are draws too, each of them meets every combination.
 *
 * @throws UserError where there is nothing to try, or too much
 */
export function choicesOf({ grid, random, runs = 10, seed }: Space): Choice[] {
  const twice = Object.keys(grid).find((name) => Object.hasOwn(random, name));
  if (twice !== undefined)
    throw new UserError(`sweep: ${twice} is both in grid and in random; leave one of them out`);
  const isRandom = Object.keys(random).length > 0;
  if (Object.keys(grid).length === 0 && !isRandom) {
    throw new UserError(
      'sweep: nothing to try; give --grid learningRate=0.01,0.02 or --random penaltyWeight=1e-7:1e-4:log',
    );
  }
  const count = Object.values(grid).reduce((product, values) => product * values.length, isRandom ? runs : 1);
  if (count > MOST) throw new UserError(`sweep: ${count} trainings; expected ${MOST} at most`);
  const draws = isRandom ? Array.from({ length: runs }, (_, index) => drawn(random, seed, index)) : [{}];
  return draws.flatMap((draw) =>
    combinations(Object.entries(grid)).map((choice) => Object.assign({}, draw, choice)),
  );
}

function combinations([first, ...others]: readonly (readonly [string, readonly unknown[]])[]): Choice[] {
  if (!first) return [{}];
  const [name, values] = first;
  return values.flatMap((value) =>
    combinations(others).map((rest) => Object.assign({ [name]: value }, rest)),
  );
}

/** Each option is drawn from a stream of its own: to add one changes nothing of the others. */
const drawn = (random: Space['random'], seed: number, index: number): Choice =>
  Object.fromEntries(
    Object.entries(random).map(([name, from]) => {
      const stream = Random.fromSeed(seed, `sweep ${name} ${index}`);
      return [
        name,
        Array.isArray(from) ? from[stream.nextBelow(from.length)] : numberIn(from as Range, stream),
      ];
    }),
  );

function numberIn({ from, to, scale, whole }: Range, random: Random): number {
  const part = random.nextUniform();
  const value = scale === 'log' ? from * (to / from) ** part : from + (to - from) * part;
  // Six digits tell two trainings apart, and can be read.
  return whole ? Math.round(value) : Number(value.toPrecision(6));
}

/** The options that a sweep may change besides those of the training. */
export const ownNames = ['hidden'] as const;

/**
 * The options of a training with a choice made in them.
 *
 * @throws UserError for an option that there is not
 */
export function settingsWith(settings: TrainingSettings, choice: Choice): TrainingSettings {
  const names = Object.keys(trainingOptionsSchema.shape);
  const changed: Record<string, unknown> = { ...settings };
  for (const [path, value] of Object.entries(choice)) {
    const [name = '', ...inside] = path.split('.');
    if ((ownNames as readonly string[]).includes(path)) continue;
    if (!names.includes(name)) {
      throw new UserError(
        `sweep: no option is called '${name}'${didYouMean(name, [...names, ...ownNames])}; bitspike train --help lists them`,
      );
    }
    changed[name] = inside.length === 0 ? value : nested(startOf(changed, name), inside, value);
  }
  return changed as TrainingSettings;
}

/** What an option is before a part of it is changed: as given, else by default. */
function startOf(settings: Readonly<Record<string, unknown>>, name: string): unknown {
  return name in settings
    ? settings[name]
    : (trainingOptionsSchema.parse({}) as Readonly<Record<string, unknown>>)[name];
}

function nested(start: unknown, [first = '', ...rest]: readonly string[], value: unknown): object {
  const whole = typeof start === 'object' && start !== null ? { ...start } : {};
  const inside = (whole as Readonly<Record<string, unknown>>)[first];
  return { ...whole, [first]: rest.length === 0 ? value : nested(inside, rest, value) };
}
