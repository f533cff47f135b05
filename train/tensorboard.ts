/** TensorBoard's event files of a training: figures of every epoch, and how its learned numbers are spread. */
import { appendFile, open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, makeFolder } from '../schemas/checkpoint/durable.ts';
import { reasonOf, UserError } from '../schemas/errors.ts';
import { encodeEvent, type EventContent, histogramOf, stepOfEvent } from '../schemas/tensorboard/event.ts';
import { recordOf, recordsIn } from '../schemas/tensorboard/records.ts';
import type { State } from './engine/engine.ts';
import type { EpochFigures } from './progress.ts';

/** TensorBoard reads files of a folder in the order of their names, which begin with a time in seconds. */
const filePattern = /^events\.out\.tfevents\.(\d{10})\.bitspike\.\d+$/;

/** Where the figures of a training go. */
export interface EventFile {
  readonly path: string;
  write(figures: EpochFigures, learned: State): Promise<void>;
}

/** @throws UserError where a folder holds events: those of another training, when one begins */
export async function checkNoEvents(folder: string): Promise<void> {
  if ((await earlierIn(folder)).length === 0) return;
  throw new UserError(
    `${folder}: holds the events of another training; choose another folder for TensorBoard`,
  );
}

const earlierIn = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder).catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return [];
    throw explained(cause, folder);
  });
  return names.filter((name) => filePattern.test(name)).sort();
};

/**
 * Begins a new event file. What earlier files of the training have beyond the step that it goes on from, or what a
 * kill cut short, is taken out of them, so that no step is there twice.
 *
 * @param step that the training goes on from
 * @throws UserError where the folder cannot be written
 */
export async function openEvents(folder: string, step: number): Promise<EventFile> {
  try {
    await makeFolder(folder);
    const earlier = await earlierIn(folder);
    for (const name of earlier) await cutAfter(join(folder, name), step);
    return await begin(folder, step, Number(filePattern.exec(earlier.at(-1) ?? '')?.[1] ?? 0));
  } catch (cause) {
    throw explained(cause, folder);
  }
}

/** @param latest seconds in the name of the last file there is: a clock may have gone back since */
async function begin(folder: string, step: number, latest: number): Promise<EventFile> {
  let time = Math.max(Date.now() / 1000, latest + 1);
  const path = join(
    folder,
    `events.out.tfevents.${String(Math.floor(time)).padStart(10, '0')}.bitspike.${step}`,
  );
  const add = (at: number, content: EventContent): Promise<void> => {
    time = Math.max(time, Date.now() / 1000);
    return appendFile(path, recordOf(encodeEvent(time, at, content)));
  };
  await (await open(path, 'wx')).close();
  await add(0, { version: true });
  // A TensorBoard that has read the earlier files forgets what was taken out of them.
  if (step > 0) await add(step + 1, { start: true });
  return {
    path,
    async write(figures, learned) {
      await add(figures.step, { scalars: scalarsOf(figures), histograms: histogramsOf(learned) }).catch(
        (cause: unknown) => {
          throw explained(cause, path);
        },
      );
    },
  };
}

async function cutAfter(path: string, step: number): Promise<void> {
  const file = await readFile(path);
  let end = 0;
  for (const record of recordsIn(file)) {
    if (stepOfEvent(record.bytes) > step) break;
    end = record.end;
  }
  if (end < file.length) await truncate(path, end);
}

const explained = (cause: unknown, path: string): unknown =>
  cause instanceof UserError
    ? cause
    : new UserError(
        `${path}: TensorBoard's events cannot be written: ${reasonOf(cause)}; mend that and resume`,
        {
          cause,
        },
      );

const named = (prefix: string, values: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]);

function scalarsOf({ reports, validation, schedules, layers = [] }: EpochFigures): Record<string, number> {
  return Object.fromEntries([
    ...named('training', reports),
    ...named('validation', { ...validation }),
    ...named('schedules', schedules),
    ...layers.flatMap(({ layer, firing = {}, gradients = {} }) => [
      ...named(`spikes/${layer}`, { ...firing }),
      ...named(`gradients/${layer}`, gradients),
    ]),
  ]);
}

const histogramsOf = (learned: State) =>
  Object.fromEntries(
    Object.entries(learned).map(([name, { data }]) => [`posterior/${name}`, histogramOf(data)]),
  );
