/** The trainings of a sweep, each in a folder of its own. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, makeFolder } from '../../schemas/checkpoint/durable.ts';
import { findCheckpoints } from '../../schemas/checkpoint/load.ts';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { parseJson } from '../../schemas/json.ts';
import { checkOptions } from '../../schemas/layer.ts';
import type { Model } from '../../schemas/model.ts';
import {
  type EpochFigures,
  loadTraining,
  type Progress,
  readHistory,
  resumeInWorker,
  resumeTraining,
  type TrainingData,
  type TrainingSettings,
  trainingOptionsSchema,
  trainInFolder,
  trainInWorker,
  type FolderRunOptions,
} from '../../train/index.ts';
import { firstDifference } from '../../train/difference.ts';
import { writeWhole } from '../write-file.ts';
import type { Choice } from './space.ts';

export interface Job {
  /** `001`, `002`, … */
  readonly name: string;
  readonly choice: Choice;
  readonly folder: string;
  readonly model: Model;
  readonly settings: TrainingSettings;
}

/** What became of a job. */
export interface Outcome {
  readonly name: string;
  readonly choice: Choice;
  readonly folder: string;
  /** The best epoch by what is looked for; absent where the training failed. */
  readonly best?: EpochFigures;
  readonly failure?: string;
}

/** What is looked for: the least loss, or the highest accuracy. */
export type Metric = 'loss' | 'accuracy';

const planName = 'sweep.json';

/**
 * Keeps what is to be tried in the folder of the sweep, or holds it against what is there: jobs that are done are
 * then those that are meant.
 *
 * @throws UserError where another sweep is there, or the folder cannot be written
 */
export async function keepPlan(folder: string, plan: object): Promise<void> {
  const path = join(folder, planName);
  const before = await readFile(path).catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new UserError(`${path}: cannot be read: ${reasonOf(cause)}`, { cause });
  });
  // As JSON has it, where undefined and absent are one.
  const now: unknown = JSON.parse(JSON.stringify(plan));
  if (before) {
    const found = firstDifference(now, parseJson(before, path));
    if (!found) return;
    throw new UserError(
      `${folder}: holds another sweep: ${found.path} is ${JSON.stringify(found.a)}, there it is ${JSON.stringify(found.b)}; give the same or choose another --out`,
    );
  }
  await makeFolder(folder).catch((cause: unknown) => {
    throw new UserError(`${folder}: cannot be made a folder: ${reasonOf(cause)}; choose another --out`, {
      cause,
    });
  });
  await writeWhole(path, new TextEncoder().encode(`${JSON.stringify(plan, null, 2)}\n`));
}

/** @throws UserError for the first job whose options do not fit */
export function checkJobs(jobs: readonly Job[]): void {
  for (const { name, settings } of jobs)
    checkOptions(trainingOptionsSchema, settings, `sweep: training ${name}`);
}

/**
 * Trains a job, or goes on with it; one that is done is only read.
 *
 * @param running `inThread`: in a thread of its own, so that others can be trained beside it
 */
export async function runJob(
  job: Job,
  data: TrainingData,
  metric: Metric,
  {
    inThread,
    ...running
  }: Pick<FolderRunOptions, 'engine' | 'backend' | 'threads' | 'workers' | 'signal' | 'warn'> & {
    readonly onProgress: (progress: Progress) => void;
    readonly inThread: boolean;
  },
): Promise<Outcome> {
  const { name, choice, folder, model, settings } = job;
  const about = { name, choice, folder };
  const options = { ...settings, ...running };
  const [begin, goOn] = inThread ? [trainInWorker, resumeInWorker] : [trainInFolder, resumeTraining];
  try {
    if (!(await isBegun(folder))) await begin(folder, model, data, options);
    else if (!(await isDone(folder))) await goOn(folder, data, { ...options, model });
    const best = bestOf(await readHistory(folder), metric);
    return { ...about, ...(best && { best }) };
  } catch (error) {
    // A training that fails, as by too high a rate, is a result too.
    if (!(error instanceof UserError)) throw error;
    return { ...about, failure: error.message };
  }
}

async function isBegun(folder: string): Promise<boolean> {
  try {
    return (await findCheckpoints(folder)).length > 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Whether no epoch is left; early stopping is told by the training itself, once it is resumed. */
async function isDone(folder: string): Promise<boolean> {
  const last = (await readHistory(folder)).at(-1);
  if (!last || last.epoch + 1 < last.epochs) return false;
  return (await loadTraining(folder)).state.step === last.step;
}

/** Of the validation, where there is one, else of the training. */
export function figureOf({ validation, reports }: EpochFigures, metric: Metric): number | undefined {
  if (metric === 'accuracy') return validation ? validation.accuracy : reports['accuracy'];
  return validation?.loss ?? reports['crossEntropy'] ?? reports['negativeLogLikelihood'];
}

/** A figure that is the better, the higher it is. */
export const merit = (figures: EpochFigures | undefined, metric: Metric): number => {
  const figure = figures && figureOf(figures, metric);
  if (figure === undefined) return Number.NEGATIVE_INFINITY;
  return metric === 'loss' ? -figure : figure;
};

const bestOf = (history: readonly EpochFigures[], metric: Metric): EpochFigures | undefined =>
  history.reduce<EpochFigures | undefined>(
    (best, figures) => (!best || merit(figures, metric) > merit(best, metric) ? figures : best),
    undefined,
  );
