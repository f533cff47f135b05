import { z } from 'zod';
import { encoderOf, encoderSchema, exampleNames } from '../../../schemas/encoders/index.ts';
import { UserError } from '../../../schemas/errors.ts';
import { checkOptions } from '../../../schemas/layer.ts';
import { augmentationSchema, checkAugmentations } from '../augment/index.ts';
import { checkDataset } from '../dataset.ts';
import { checkRecordings } from '../recordings.ts';
import { checkRegressionDataset, isRecordings, isRegression, type TrainingData } from '../regression.ts';

const batchSettingsSchema = z.strictObject({
  batchSize: z.int().positive().meta({ description: 'Examples per batch.' }),
  seed: z.int().min(0).meta({ description: 'Seed of the order, the augmentations and random encoders.' }),
  encoder: encoderSchema.exactOptional().meta({
    description: 'What examples become step by step; those of numbers are taken as they are unless given.',
  }),
  augment: z
    .array(augmentationSchema)
    .default([])
    .meta({ description: 'How examples are varied, one after another, anew in every epoch.' }),
  shuffle: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether examples come in another order in every epoch.' }),
  dropLast: z.boolean().default(false).meta({
    description:
      'Whether to leave out the examples of an epoch that fill no batch; by default they are its last.',
  }),
  smoothing: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .meta({ description: 'Of labels: s of (1 − s) · onehot + s/classes.' }),
  copies: z
    .int()
    .positive()
    .default(1)
    .meta({ description: 'How often each batch holds its examples: rows are batchSize × copies.' }),
});

export const batchOptionsSchema = batchSettingsSchema.extend({
  workers: z
    .int()
    .min(0)
    .max(64)
    .default(0)
    .meta({ description: 'Threads that prepare batches ahead; with 0 each is made when it is asked for.' }),
});

export type BatchOptions = z.input<typeof batchOptionsSchema>;

/** All that decides what is in the batches, as data that can be sent to a worker. */
export interface BatchPlan extends z.output<typeof batchSettingsSchema> {
  readonly data: TrainingData;
}

/** @throws UserError for options that do not fit, damaged data, and an encoder or augmentation that does not go with them */
export function planBatches(data: TrainingData, given: BatchOptions): { plan: BatchPlan; workers: number } {
  const { workers, ...settings } = checkOptions(batchOptionsSchema, given, 'batches');
  const { batchSize, encoder, augment } = settings;
  checkData(data);
  if (data.count < batchSize) {
    throw new UserError(
      `batches: ${data.name} has ${data.count} examples, fewer than batchSize ${batchSize}; lower batchSize`,
    );
  }
  const offered = isRecordings(data) ? 'events' : (data.steps ?? 1) === 1 ? 'image' : 'sequence';
  if (encoder !== undefined && encoderOf(encoder).takes !== offered) {
    throw new UserError(
      `batches: the encoder ${encoder.kind} takes ${exampleNames[encoderOf(encoder).takes]}, ` +
        `an example of ${data.name} is ${exampleNames[offered]}; choose another encoder`,
    );
  }
  if (encoder === undefined && offered === 'events') {
    throw new UserError(
      `batches: ${data.name} holds events; give an encoder that makes frames of them, such as ` +
        `{ kind: 'timeFrames', steps: 100, duration: 1.4 }`,
    );
  }
  checkAugmentations(augment, offered === 'events' ? 'events' : 'images', data.shape, data.name);
  return { plan: { data, ...settings }, workers };
}

/** Encoders write where labels, times and channels tell them to: all must lie within. */
function checkData(data: TrainingData): void {
  if (isRecordings(data)) checkRecordings(data);
  else if (isRegression(data)) checkRegressionDataset(data);
  else checkDataset(data);
}

/** How many batches an epoch of so many examples has. */
export const countBatches = (
  count: number,
  { batchSize, dropLast }: { readonly batchSize: number; readonly dropLast: boolean },
): number => (dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize));

export const batchesOf = (plan: BatchPlan): number => countBatches(plan.data.count, plan);

/** How many examples a batch holds: the last one of an epoch may hold fewer. */
export const examplesIn = ({ data, batchSize }: BatchPlan, index: number): number =>
  Math.min(batchSize, data.count - index * batchSize);

/** The plan with its numbers where all threads see them. */
export const shareData = ({ data, ...settings }: BatchPlan): BatchPlan => ({
  data: sharedData(data),
  ...settings,
});

/** Data with their numbers where all threads see them: copied once, unless they are there already. */
export function sharedData(data: TrainingData): TrainingData {
  const properties = isRecordings(data) ? { properties: {} } : {};
  const shared = Object.entries({ ...data, ...properties }).map(([name, value]) => [
    name,
    ArrayBuffer.isView(value) ? inSharedMemory(value as Numbers) : value,
  ]);
  return Object.fromEntries(shared) as TrainingData;
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float32Array;

function inSharedMemory(numbers: Numbers): Numbers {
  if (numbers.buffer instanceof SharedArrayBuffer) return numbers;
  // A Buffer of Node is a Uint8Array too, and not to be made so.
  const Kind = numbers instanceof Uint8Array ? Uint8Array : numbers.constructor;
  const copy = new (Kind as new (buffer: SharedArrayBuffer) => Numbers)(
    new SharedArrayBuffer(numbers.byteLength),
  );
  copy.set(numbers);
  return copy;
}
