import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { classesOf, type Model, stepsOf } from '../schemas/model.ts';
import {
  type Dataset,
  encodedDataset,
  firstExamples,
  firstRegressionExamples,
  givenBy,
  isRecordings,
  isRegression,
  openDataset,
  openRecordings,
  type Recordings,
  regressionArrays,
  type Split,
  takeRecordings,
  type TrainingData,
} from '../train/data/index.ts';
import type { DataOptions } from './options.ts';
import { grouped, shapeText } from './output.ts';

/**
 * The examples that `--data` and `--limit` name.
 *
 * @param model whose encoder makes frames of events
 */
export async function openData(options: DataOptions, split: Split, model?: Model): Promise<Dataset> {
  const examples = await openExamples(options, split);
  if (model?.encoder) return encodedDataset(examples, model.encoder);
  if (!isRecordings(examples)) return examples;
  throw new UserError(
    `${examples.name} holds events, and the model has no encoder that makes frames of them; train it with one`,
  );
}

async function openExamples({ data, limit }: DataOptions, split: Split): Promise<Dataset | Recordings> {
  if (givenBy(data) === 'examples') {
    const dataset = await openDataset(data, split);
    return limit === undefined ? dataset : firstExamples(dataset, limit);
  }
  const recordings = await openRecordings(data, split);
  if (limit === undefined || limit >= recordings.count) return recordings;
  return takeRecordings(
    recordings,
    Uint32Array.from({ length: limit }, (_, index) => index),
  );
}

const regression = 'regression:';

/** The examples to learn from that `--data` and `--limit` name; those of `regression:FOLDER` have numbers as answers. */
export async function openTrainingData({ data, limit }: DataOptions): Promise<TrainingData> {
  if (!data.startsWith(regression)) {
    return openExamples({ data, ...(limit !== undefined && { limit }) }, 'train');
  }
  const examples = await regressionArrays(data.slice(regression.length), 'train');
  return limit === undefined ? examples : firstRegressionExamples(examples, limit);
}

export const dataText = (data: TrainingData): string => {
  const { name, count, shape } = data;
  const answers = isRegression(data) ? `${data.outputs} targets each` : `${data.classes} classes`;
  return `${name}: ${grouped(count)} examples of ${shapeText(shape)}, ${answers}`;
};

/** What the network of an .onnx takes of the examples. @throws UserError where they do not fit it */
export function inputsFor(model: Model, data: Dataset, file: string): Uint8Array | Float32Array {
  const { input } = model;
  const refuse = (problem: string): never => {
    throw new UserError(`${file}: does not fit the data ${data.name}: ${problem}`);
  };
  if (sizeOf(input.shape) !== sizeOf(data.shape)) {
    refuse(`it takes examples of ${shapeText(input.shape)}, these have ${shapeText(data.shape)}`);
  }
  const { steps = 1 } = data;
  if (stepsOf(model) !== steps) refuse(`it takes ${stepsOf(model)} time steps, these have ${steps}`);
  // Data may hold fewer classes than there are: a small sample lacks some.
  if (data.classes > classesOf(model))
    refuse(`it knows ${classesOf(model)} classes, these are ${data.classes}`);
  if (input.type === 'float32') return Float32Array.from(data.inputs, (byte) => byte * data.scale);
  if (Math.abs(input.scale - data.scale) > 1e-12) {
    refuse(`its bytes count ${input.scale} each, these ${data.scale}`);
  }
  return data.inputs;
}
