import { type EncoderSpec, encoderOf } from '../../schemas/encoders/index.ts';
import type { Model } from '../../schemas/model.ts';
import type { Dataset } from './dataset.ts';
import { batchFiller, planBatches } from './pipeline/index.ts';
import type { Recordings } from './recordings.ts';
import { isRecordings, type TrainingData } from './regression.ts';

/**
 * Examples as an encoder makes them, all at once: what a trained network is judged on. Frames count up to 255 events.
 *
 * @param seed of encoders that draw at random
 * @throws UserError where the encoder does not take such examples
 */
export function encodedDataset(data: Dataset | Recordings, encoder: EncoderSpec, seed = 1): Dataset {
  const { plan } = planBatches(data, { batchSize: 1, seed, encoder });
  const { steps, shape, inputs: size, fillInputs } = batchFiller(plan);
  const scale = encoderOf(encoder).keepsValues && !isRecordings(data) ? data.scale : 1;
  const inputs = new Uint8Array(data.count * size);
  const values = new Float32Array(size);
  for (let example = 0; example < data.count; example++) {
    fillInputs(0, Uint32Array.of(example), values);
    for (let place = 0; place < size; place++) {
      inputs[example * size + place] = Math.min(255, Math.round(values[place]! / scale));
    }
  }
  const { name, labels, count, classes, classNames } = data;
  return { name, inputs, shape, steps, scale, labels, count, classes, classNames, encoded: true };
}

/** What makes the inputs of a network of data: nothing where it has been done. */
export const encoderFor = (model: Model, data: TrainingData): EncoderSpec | undefined =>
  'encoded' in data && data.encoded ? undefined : model.encoder;
