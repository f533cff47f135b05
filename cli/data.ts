import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { classesOf, type Model } from '../schemas/model.ts';
import { type Dataset, firstExamples, openDataset, type Split } from '../train/data/index.ts';
import type { DataOptions } from './options.ts';
import { grouped, shapeText } from './output.ts';

/** The examples that `--data` and `--limit` name. */
export async function openData({ data, limit }: DataOptions, split: Split): Promise<Dataset> {
  const dataset = await openDataset(data, split);
  return limit === undefined ? dataset : firstExamples(dataset, limit);
}

export const dataText = ({ name, count, shape, classes }: Dataset): string =>
  `${name}: ${grouped(count)} examples of ${shapeText(shape)}, ${classes} classes`;

/** What the network of an .onnx takes of the examples. @throws UserError where they do not fit it */
export function inputsFor(model: Model, data: Dataset, file: string): Uint8Array | Float32Array {
  const { input } = model;
  const refuse = (problem: string): never => {
    throw new UserError(`${file}: does not fit the data ${data.name}: ${problem}`);
  };
  if (sizeOf(input.shape) !== sizeOf(data.shape)) {
    refuse(`it takes examples of ${shapeText(input.shape)}, these have ${shapeText(data.shape)}`);
  }
  // Data may hold fewer classes than there are: a small sample lacks some.
  if (data.classes > classesOf(model))
    refuse(`it knows ${classesOf(model)} classes, these are ${data.classes}`);
  if (input.type === 'float32') return Float32Array.from(data.inputs, (byte) => byte * data.scale);
  if (Math.abs(input.scale - data.scale) > 1e-12) {
    refuse(`its bytes count ${input.scale} each, these ${data.scale}`);
  }
  return data.inputs;
}
