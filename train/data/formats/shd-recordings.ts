import { UserError } from '../../../schemas/errors.ts';
import type { Recordings } from '../recordings.ts';
import { RecordingCollector } from './collector.ts';
import { type Hdf5, withHdf5 } from './hdf5.ts';
import { numbered } from './labels.ts';

/** Channels of the artificial cochlea. */
const units = 700;

/** How many recordings are read at once. */
const block = 256;

/** A file of spikes to read. */
export interface SpikeFile {
  readonly file: string;
  /** What messages call the recordings. */
  readonly name: string;
  /** Number of classes where the file names none and its labels are smaller. */
  readonly fewestClasses: number;
}

/** One number per recording, each a whole one. @throws UserError where there is no such */
function readLabels(hdf5: Hdf5, file: string, count: number): Float64Array {
  const labels = hdf5.numbers('labels');
  if (labels?.length !== count) {
    throw new UserError(
      `${file}: labels: has ${labels?.length ?? 'no'} numbers; expected one per recording of spikes/times, ${count}`,
    );
  }
  const stray = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label <= 255));
  if (stray < 0) return labels;
  throw new UserError(`${file}: labels: recording ${stray} has label ${labels[stray]}; expected 0 … 255`);
}

/** Every dataset in `extra` with a number per recording, such as speaker. */
function readProperties(hdf5: Hdf5, count: number): [string, Float64Array][] {
  return hdf5.names('extra').flatMap((name): [string, Float64Array][] => {
    if (name === 'keys' || name === 'meta_info') return [];
    const values = hdf5.numbers(`extra/${name}`);
    return values?.length === count ? [[name, values]] : [];
  });
}

function readRecordings(
  hdf5: Hdf5,
  { file, name, fewestClasses }: SpikeFile,
  onBlock: () => void,
): Recordings {
  const count = hdf5.raggedLength('spikes/times');
  const others = hdf5.raggedLength('spikes/units');
  if (others !== count) {
    throw new UserError(
      `${file}: spikes/units: has ${others} recordings, spikes/times ${count}; expected as many`,
    );
  }
  const labels = readLabels(hdf5, file, count);
  const properties = readProperties(hdf5, count);
  const largest = labels.reduce((largest, label) => Math.max(largest, label), 0);
  const classNames = hdf5.names('extra').includes('keys')
    ? hdf5.strings('extra/keys')
    : numbered(Math.max(fewestClasses, largest + 1));

  const collector = new RecordingCollector(name, [units]);
  for (let start = 0; start < count; start += block) {
    const size = Math.min(block, count - start);
    const times = hdf5.ragged('spikes/times', start, size);
    const channels = hdf5.ragged('spikes/units', start, size);
    onBlock();
    for (let index = 0; index < size; index++) {
      const recording = start + index;
      addEvents(collector, times[index]!, channels[index]!, `${file}: spikes of recording ${recording}`);
      collector.end(
        labels[recording]!,
        Object.fromEntries(properties.map(([name, values]) => [name, values[recording]!])),
      );
    }
  }
  return collector.finish(classNames);
}

function addEvents(
  collector: RecordingCollector,
  times: Float64Array,
  channels: Float64Array,
  where: string,
) {
  if (times.length !== channels.length) {
    throw new UserError(`${where}: ${times.length} times and ${channels.length} units; expected as many`);
  }
  for (let event = 0; event < times.length; event++) {
    const time = times[event]!;
    const channel = channels[event]!;
    if (!(time >= 0 && time < Infinity)) {
      throw new UserError(`${where}: event ${event}: time ${time}; expected seconds of 0 or more`);
    }
    if (!(Number.isInteger(channel) && channel >= 0 && channel < units)) {
      throw new UserError(`${where}: event ${event}: unit ${channel}; expected 0 … ${units - 1}`);
    }
    collector.add(time, channel);
  }
}

/**
 * Reads the recordings of a file in the layout of the Spiking Heidelberg Digits, in this thread.
 *
 * A damaged file may keep the HDF5 library busy for ever: `readSpikes` does the same under watch.
 *
 * @param onBlock called now and then, as long as reading goes on
 * @throws UserError where the file is missing or damaged
 */
export const readSpikesHere = (spikes: SpikeFile, onBlock = () => {}): Promise<Recordings> =>
  withHdf5(spikes.file, (hdf5) => readRecordings(hdf5, spikes, onBlock));
