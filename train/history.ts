/** The epochs of a training, one JSON object in a line, beside the checkpoints of its run. */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, syncFolder } from '../schemas/checkpoint/durable.ts';
import { layerFiguresSchema, validationFiguresSchema } from '../schemas/checkpoint/posterior.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';
import type { EpochFigures } from './progress.ts';

/** The file of a run folder that holds the figures of its epochs. */
export const historyName = 'history.jsonl';

const figuresSchema = z.strictObject({
  epoch: z.int().nonnegative(),
  epochs: z.int().positive(),
  step: z.int().positive(),
  reports: z.record(z.string(), z.number()),
  schedules: z.record(z.string(), z.number()),
  validation: validationFiguresSchema.exactOptional(),
  layers: layerFiguresSchema.exactOptional(),
}) satisfies z.ZodType<EpochFigures>;

/** A line that is no epoch, and which. */
interface BadLine {
  readonly line: number;
  readonly problem: string;
}

interface Found {
  readonly epochs: readonly EpochFigures[];
  readonly bad: readonly BadLine[];
}

const pathOf = (run: string): string => join(run, historyName);

/**
 * Reads the epochs of a run.
 *
 * @returns none where the run has no history
 * @throws UserError that names the first line that is no epoch
 */
export async function readHistory(run: string): Promise<readonly EpochFigures[]> {
  const { epochs, bad } = await find(run);
  const [first] = bad;
  if (first) throw new UserError(`${pathOf(run)}: line ${first.line}: ${first.problem}; remove that line`);
  return epochs;
}

async function find(run: string): Promise<Found> {
  const path = pathOf(run);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return '';
    throw new UserError(`${path}: cannot be read: ${reasonOf(cause)}`, { cause });
  });
  const epochs: EpochFigures[] = [];
  const bad: BadLine[] = [];
  text.split('\n').forEach((written, index, { length }) => {
    // The last line ends with a line feed too, or it was cut short.
    if (written === '' && index === length - 1) return;
    const read = epochOf(written);
    if (typeof read === 'string') bad.push({ line: index + 1, problem: read });
    else epochs.push(read);
  });
  return { epochs, bad };
}

/** The epoch, or what is wrong with it. */
function epochOf(written: string): EpochFigures | string {
  try {
    const { data, error } = figuresSchema.safeParse(JSON.parse(written));
    if (data) return data;
    const [issue] = error.issues;
    return `${issue?.path.join('.') ?? ''}: ${issue?.message}`;
  } catch (error) {
    return `is not sound JSON: ${reasonOf(error)}`;
  }
}

/**
 * Takes out of a history what is later than a step, and what a kill or a full disk left of a line, so that a
 * training can go on from there.
 *
 * @param warn told of damage in the middle, which a kill does not leave
 */
export async function trimHistory(run: string, step: number, warn: (line: string) => void): Promise<void> {
  const path = pathOf(run);
  const { epochs, bad } = await find(run);
  const kept = epochs.filter((figures) => figures.step <= step);
  const inside = bad.filter(({ line }) => line <= kept.length);
  for (const { line, problem } of inside) warn(`${path}: line ${line} is left out: ${problem}`);
  if (kept.length === epochs.length && bad.length === 0) return;
  const temporary = `${path}.tmp`;
  await written(path, `of step ${step}`, async () => {
    await write(temporary, 'w', kept.map(lineOf).join(''));
    await rename(temporary, path);
    await syncFolder(run);
  }).finally(() => rm(temporary, { force: true }).catch(() => undefined));
}

/** Adds an epoch. @throws UserError where it cannot be written; what was there before stays */
export async function appendHistory(run: string, figures: EpochFigures): Promise<void> {
  const path = pathOf(run);
  await written(path, `of epoch ${figures.epoch + 1}`, () => write(path, 'a', lineOf(figures)));
}

const lineOf = (figures: EpochFigures): string => `${JSON.stringify(figures)}\n`;

async function write(path: string, flags: 'a' | 'w', text: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function written(path: string, what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    throw new UserError(
      `${path}: the figures ${what} are not saved: ${reasonOf(cause)}; mend that and resume; earlier checkpoints are unharmed`,
      { cause },
    );
  }
}
