import { appendFile, readFile, truncate } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import type { Cell } from './cells.ts';
import type { Outcome, Settings } from './measure.ts';

const scoresSchema = z.strictObject({ accuracy: z.number(), nll: z.number(), ece: z.number() });

const lineSchema = z.strictObject({
  cell: z.strictObject({
    estimator: z.string(),
    penalty: z.enum(['none', 'membrane']),
    posterior: z.enum(['bernoulli', 'gaussian']),
    seed: z.int(),
  }),
  settings: z.strictObject({
    hidden: z.array(z.int()),
    epochs: z.int(),
    penaltyWeight: z.number(),
    members: z.int(),
  }),
  outcome: z.strictObject({ mean: scoresSchema, ensemble: scoresSchema, seconds: z.number() }),
});

/** A finished cell. */
export interface Finished {
  readonly cell: Cell;
  readonly outcome: Outcome;
}

/**
 * The finished cells in a file of JSON lines, none where there is no file yet. A last line without its end, as an
 * interruption leaves one, is cut off.
 *
 * @throws UserError where a line is no cell, or is one of other settings
 */
export const readKept = async (file: string, settings: Settings): Promise<Finished[]> => {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
    throw new UserError(`${file}: cannot be read: ${reasonOf(cause)}`, { cause });
  });
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) await truncate(file, Buffer.byteLength(whole));
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line, index) => parseLine(line, `${file}: line ${index + 1}`, settings));
};

const parseLine = (line: string, where: string, settings: Settings): Finished => {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where} is not JSON; delete it, or give another --cells`, { cause });
  }
  const { success, data } = lineSchema.safeParse(json);
  if (!success) throw new UserError(`${where} is no cell of this table; delete it, or give another --cells`);
  if (!isDeepStrictEqual(data.settings, settings)) {
    throw new UserError(
      `${where} has the settings ${JSON.stringify(data.settings)}, the table ${JSON.stringify(settings)}; give those, or another --cells`,
    );
  }
  return { cell: data.cell, outcome: data.outcome };
};

/** Adds a finished cell to the file. */
export const keep = (file: string, settings: Settings, { cell, outcome }: Finished): Promise<void> =>
  appendFile(file, `${JSON.stringify({ cell, settings, outcome })}\n`);
