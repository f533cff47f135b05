import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../../schemas/errors.ts';
import type { Split } from '../dataset.ts';
import type { Recordings } from '../recordings.ts';
import { type PolarityEvents, readAedat } from './aedat.ts';
import { RecordingCollector } from './collector.ts';
import { readPlainFile, readUnpacked, textOf } from './files.ts';
import { keepLabels, withoutSchema } from './labels.ts';

const side = 128;

const gestures = [
  'hand clapping',
  'right hand wave',
  'left hand wave',
  'right arm clockwise',
  'right arm counter clockwise',
  'left arm clockwise',
  'left arm counter clockwise',
  'arm roll',
  'air drums',
  'air guitar',
  'other gestures',
];

export const dvsGestureOptionsSchema = z.strictObject({ without: withoutSchema });

export type DvsGestureOptions = z.output<typeof dvsGestureOptionsSchema>;

/** A gesture within a recording: start ≤ time < end, in microseconds by the camera's clock. */
interface Slice {
  readonly label: number;
  readonly start: number;
  readonly end: number;
}

const linesOf = (text: string): string[] => text.split('\n').map((line) => line.trim());

/** Real files have 12. */
const mostSlices = 1000;

/**
 * Reads the labels of one recording: a line `class,startTime_usec,endTime_usec`, then a line per gesture with
 * classes 1 … 11.
 *
 * @throws UserError naming the line that is none.
 */
export function readSlices(text: string, file: string): Slice[] {
  const [header, ...lines] = linesOf(text);
  if (header !== 'class,startTime_usec,endTime_usec') {
    throw new UserError(`${file}: line 1: expected class,startTime_usec,endTime_usec`);
  }
  const slices = lines.flatMap((line, index): Slice[] => {
    if (line === '') return [];
    const [, gesture, start, end] = /^(\d{1,2}),(\d{1,15}),(\d{1,15})$/.exec(line)?.map(Number) ?? [];
    if (!(gesture! >= 1 && gesture! <= gestures.length && start! < end!)) {
      throw new UserError(
        `${file}: line ${index + 2}: expected a class 1 … ${gestures.length}, a start and a later end in whole microseconds`,
      );
    }
    return [{ label: gesture! - 1, start: start!, end: end! }];
  });
  if (slices.length <= mostSlices) return slices;
  throw new UserError(`${file}: has ${slices.length} gestures; expected at most ${mostSlices}`);
}

/** The recordings that a list names, one a line. @throws UserError for a name that leaves the folder */
function readList(text: string, file: string): string[] {
  return linesOf(text).flatMap((line, index) => {
    if (line === '') return [];
    if (/^[\w-]+\.aedat$/.test(line)) return [line];
    throw new UserError(`${file}: line ${index + 1}: expected the name of a file such as user01_led.aedat`);
  });
}

/** Adds the events of one slice. @throws UserError for one outside the camera */
function addSlice(
  { times, columns, rows, polarities }: PolarityEvents,
  { start, end }: Slice,
  file: string,
  collector: RecordingCollector,
): void {
  for (let event = 0; event < times.length; event++) {
    const time = times[event]!;
    if (time < start || time >= end) continue;
    const [column, row] = [columns[event]!, rows[event]!];
    if (column >= side || row >= side) {
      throw new UserError(
        `${file}: event ${event}: at column ${column} and row ${row}; expected below ${side} each`,
      );
    }
    collector.add((time - start) * 1e-6, (polarities[event]! * side + row) * side + column);
  }
}

/**
 * Opens one split of the folder DVS128 Gesture is published as: `trials_to_train.txt` or `trials_to_test.txt`,
 * and for each file it lists its `.aedat` (version 3.1) and `_labels.csv`.
 *
 * A sample is one line of a `_labels.csv`, so a gesture made twice in a recording is two. Shape [2, 128, 128];
 * properties: `recording`, the line in the list from 0, and `user` where every name tells it.
 *
 * @throws UserError where a file is missing or damaged.
 */
export async function dvsGesture(
  folder: string,
  split: Split,
  { without = [] }: DvsGestureOptions,
): Promise<Recordings> {
  const name = `dvs-gesture:${folder} ${split}`;
  const kept = keepLabels(gestures, without, name);
  const list = join(folder, `trials_to_${split}.txt`);
  const trials = readList(textOf(await readPlainFile(list), list), list);
  const users = trials.map((trial) => /^user(\d{1,3})_/.exec(trial)?.[1]);
  const collector = new RecordingCollector(name, [2, side, side]);
  for (const [recording, trial] of trials.entries()) {
    const file = join(folder, trial);
    const labelFile = file.replace(/\.aedat$/, '_labels.csv');
    const slices = readSlices(textOf(await readPlainFile(labelFile), labelFile), labelFile);
    const events = readAedat(await readUnpacked(file), file);
    for (const slice of slices) {
      const label = kept.labels[slice.label]!;
      if (label < 0) continue;
      addSlice(events, slice, file, collector);
      collector.end(
        label,
        users.includes(undefined) ? { recording } : { recording, user: Number(users[recording]) },
      );
    }
  }
  return collector.finish(kept.classNames);
}
