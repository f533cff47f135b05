import { encoderOf, type Events, type Frames, type Signal } from '../../../schemas/encoders/index.ts';
import { type Shape, sizeOf } from '../../../schemas/layer.ts';
import { Random } from '../../../schemas/random.ts';
import { augment } from '../augment/index.ts';
import type { Recordings } from '../recordings.ts';
import { isRecordings, type NumberData } from '../regression.ts';
import type { BatchPlan } from './plan.ts';

/** Writes examples as a network takes them. */
export interface ExampleWriter {
  readonly steps: number;
  /** Of one step. */
  readonly shape: Shape;
  /** Whether it writes every number, so that none needs to be 0 before. */
  readonly overwrites: boolean;
  write(example: number, epoch: number, frames: Frames): void;
}

/** What draws for one example in one epoch: its own stream, so that who computes it and when makes no difference. */
const drawsFor = ({ seed }: BatchPlan, use: 'augment' | 'encode', epoch: number, example: number): Random =>
  Random.fromSeed(seed, `${use} ${epoch} ${example}`);

export const exampleWriter = (plan: BatchPlan): ExampleWriter =>
  isRecordings(plan.data) ? eventWriter(plan, plan.data) : numberWriter(plan, plan.data);

/** Examples of numbers: images, or sequences of them. */
function numberWriter(plan: BatchPlan, data: NumberData): ExampleWriter {
  const { inputs, shape, steps = 1, scale } = data;
  const size = sizeOf(shape);
  const values = new Float32Array(steps * size);
  const example: Signal = { values, steps, shape };

  const load = (index: number, epoch: number): void => {
    const from = index * values.length;
    for (let place = 0; place < values.length; place++) values[place] = inputs[from + place]! * scale;
    if (plan.augment.length > 0) {
      augment(plan.augment, 'images', values, shape, drawsFor(plan, 'augment', epoch, index));
    }
  };

  if (plan.encoder === undefined) {
    return {
      steps,
      shape,
      overwrites: true,
      write(index, epoch, { values: into, start, stride }) {
        load(index, epoch);
        for (let step = 0; step < steps; step++) {
          into.set(values.subarray(step * size, (step + 1) * size), start + step * stride);
        }
      },
    };
  }
  return encodingWriter(plan, steps, shape, (index, epoch) => {
    load(index, epoch);
    return example;
  });
}

/** Examples of events. */
function eventWriter(plan: BatchPlan, data: Recordings): ExampleWriter {
  const { times, channels, offsets, shape, count } = data;
  const span = (index: number): [number, number] => [offsets[index]!, offsets[index + 1]!];
  if (plan.augment.length === 0) {
    return encodingWriter(plan, 1, shape, (index) => ({
      times: times.subarray(...span(index)),
      channels: channels.subarray(...span(index)),
      shape,
    }));
  }
  // Events are varied in a copy that has room for the longest recording.
  let most = 0;
  for (let index = 0; index < count; index++) most = Math.max(most, offsets[index + 1]! - offsets[index]!);
  const ownTimes = new Float32Array(most);
  const ownChannels = channels instanceof Uint16Array ? new Uint16Array(most) : new Uint32Array(most);
  return encodingWriter(plan, 1, shape, (index, epoch) => {
    ownTimes.set(times.subarray(...span(index)));
    ownChannels.set(channels.subarray(...span(index)));
    const list = { times: ownTimes, channels: ownChannels, count: offsets[index + 1]! - offsets[index]! };
    augment(plan.augment, 'events', list, shape, drawsFor(plan, 'augment', epoch, index));
    return {
      times: ownTimes.subarray(0, list.count),
      channels: ownChannels.subarray(0, list.count),
      shape,
    };
  });
}

/** Encodes what `exampleOf` gives, which is what the plan's encoder takes. */
function encodingWriter(
  plan: BatchPlan,
  steps: number,
  shape: Shape,
  exampleOf: (index: number, epoch: number) => Signal | Events,
): ExampleWriter {
  const { encoder: spec } = plan;
  if (spec === undefined) throw new Error(`${plan.data.name} has no encoder`);
  const encoder = encoderOf(spec);
  return {
    steps: encoder.steps(spec, steps),
    shape: encoder.outputShape(spec, shape),
    overwrites: false,
    write(index, epoch, frames) {
      encoder.encode(spec, exampleOf(index, epoch) as Signal & Events, frames, () =>
        drawsFor(plan, 'encode', epoch, index),
      );
    },
  };
}
