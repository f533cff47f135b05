import { UserError } from '../../schemas/errors.ts';

/** Events of many recordings, one recording after another. */
export interface Recordings {
  readonly name: string;
  /** Seconds since the start of the recording, ascending within a recording. */
  readonly times: Float32Array;
  /** Which of the channels fired: an index into `shape`, row-major. */
  readonly channels: Uint16Array | Uint32Array;
  /** Shape of all channels: [700], or [2, 34, 34] for polarity (0 off, 1 on), row, column. */
  readonly shape: readonly number[];
  /** Recording i has the events offsets[i] … offsets[i + 1] − 1. */
  readonly offsets: Uint32Array;
  readonly labels: Uint8Array;
  readonly count: number;
  readonly classes: number;
  readonly classNames: readonly string[];
  /** Further numbers per recording, such as speaker and recording, to split by. */
  readonly properties: Readonly<Record<string, ArrayLike<number>>>;
}

/** A label is one byte. */
const mostClasses = 256;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/**
 * The recordings given, once their parts are known to fit together.
 *
 * @throws UserError naming the first field that does not fit.
 */
export function checkRecordings(recordings: Recordings): Recordings {
  const { name, times, channels, shape, offsets, labels, count, classes, classNames, properties } =
    recordings;
  const expect = (holds: boolean, field: string, problem: string): void => {
    if (!holds) throw new UserError(`data ${name}: ${field} ${problem}`);
  };
  const expectLength = (field: string, { length }: ArrayLike<unknown>, per: string, expected: number) =>
    expect(length === expected, field, `holds ${length}; expected one per ${per}, ${expected}`);

  expect(isCount(count), 'count', `is ${count}; expected at least one recording`);
  expect(shape.length > 0 && shape.every(isCount), 'shape', `is [${shape}]; expected sizes of 1 or more`);
  expect(
    isCount(classes) && classes <= mostClasses,
    'classes',
    `is ${classes}; expected a whole number, 1 … ${mostClasses}`,
  );
  expectLength('channels', channels, 'event', times.length);
  expectLength('labels', labels, 'recording', count);
  expectLength('classNames', classNames, 'class', classes);
  for (const [property, values] of Object.entries(properties))
    expectLength(property, values, 'recording', count);
  expect(offsets.length === count + 1, 'offsets', `holds ${offsets.length}; expected ${count + 1}`);
  expect(
    offsets[0] === 0 && offsets[count] === times.length,
    'offsets',
    `runs from ${offsets[0]} to ${offsets[count]}; expected 0 to ${times.length}, the number of events`,
  );

  const all = shape.reduce((product, axis) => product * axis, 1);
  for (let index = 0; index < count; index++) {
    const start = offsets[index]!;
    const end = offsets[index + 1]!;
    expect(
      start <= end && end <= times.length,
      `offsets of recording ${index}`,
      `go from ${start} to ${end}; expected to rise to ${times.length} at most`,
    );
    expect(
      labels[index]! < classes,
      `label of recording ${index}`,
      `is ${labels[index]}; expected below ${classes}, the number of classes`,
    );
    let last = 0;
    for (let event = start; event < end; event++) {
      const time = times[event]!;
      // Written so that NaN fails too.
      if (!(time >= last && time < Infinity)) {
        expect(
          false,
          `time of event ${event - start} of recording ${index}`,
          `is ${time} s; expected at least ${last} s`,
        );
      }
      if (channels[event]! >= all) {
        expect(
          false,
          `channel of event ${event - start} of recording ${index}`,
          `is ${channels[event]}; expected below ${all}`,
        );
      }
      last = time;
    }
  }
  return recordings;
}

/** Some of the recordings, in that order. */
export function takeRecordings(recordings: Recordings, indices: Uint32Array): Recordings {
  const { times, channels, offsets, labels, properties } = recordings;
  const taken = new Uint32Array(indices.length + 1);
  indices.forEach((index, place) => {
    taken[place + 1] = taken[place]! + offsets[index + 1]! - offsets[index]!;
  });
  const events = taken[indices.length]!;
  const ownTimes = new Float32Array(events);
  const ownChannels = channels instanceof Uint16Array ? new Uint16Array(events) : new Uint32Array(events);
  indices.forEach((index, place) => {
    const [start, end] = [offsets[index]!, offsets[index + 1]!];
    ownTimes.set(times.subarray(start, end), taken[place]!);
    ownChannels.set(channels.subarray(start, end), taken[place]!);
  });
  return {
    ...recordings,
    times: ownTimes,
    channels: ownChannels,
    offsets: taken,
    labels: Uint8Array.from(indices, (index) => labels[index]!),
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, values]) => [
        name,
        Array.from(indices, (index) => values[index]!),
      ]),
    ),
    count: indices.length,
  };
}
