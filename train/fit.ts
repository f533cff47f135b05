import { UserError } from '../schemas/errors.ts';
import { encoderOf } from '../schemas/encoders/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { classesOf, type Model, stepsOf } from '../schemas/model.ts';
import { encoderFor, isRecordings, isRegression, outputsOf, type TrainingData } from './data/index.ts';
import type { TrainingOptions } from './options.ts';

/** @throws UserError unless the data and options of a training fit its model */
export function checkFit(model: Model, data: TrainingData, options: TrainingOptions): void {
  const { batchSize, shift, augment } = options;
  checkExamples(model, data, options);
  if (shift > 0 && data.shape.length !== 2 && data.shape.length !== 3) {
    throw new UserError(
      `train: shift moves images of 2 or 3 axes, an example of ${data.name} is [${data.shape}]; set shift to 0`,
    );
  }
  if (shift > 0 && augment.some(({ kind }) => kind === 'shift')) {
    throw new UserError(
      'train: both shift and an augmentation of the kind shift are given; leave out one of them',
    );
  }
  checkSegments(model, options);
  if (data.count < batchSize) {
    throw new UserError(
      `train: ${data.name} has ${data.count} examples, fewer than batchSize ${batchSize}; lower batchSize`,
    );
  }
}

/** @throws UserError unless the steps of the model are so many whole segments */
function checkSegments(model: Model, { checkpointing }: TrainingOptions): void {
  const steps = stepsOf(model);
  if (!checkpointing || (checkpointing.every < steps && steps % checkpointing.every === 0)) return;
  const divisors = Array.from({ length: steps }, (_, index) => index).filter(
    (every) => every > 1 && steps % every === 0,
  );
  const advice =
    divisors.length > 0 ? `take one of ${divisors.join(', ')}, or leave it out` : 'leave checkpointing out';
  throw new UserError(
    `train: checkpointing every ${checkpointing.every} steps does not divide the model's ${steps} into several parts; ${advice}`,
  );
}

/** @throws UserError unless examples have as many steps as the model, or its encoder gives them as many */
function checkSteps(model: Model, data: TrainingData): void {
  const steps = stepsOf(model);
  const own = isRecordings(data) ? undefined : (data.steps ?? 1);
  if (encoderFor(model, data) || own === steps) return;
  throw new UserError(
    own === undefined
      ? `train: ${data.name} holds events; give the model an encoder that makes frames of them, such as ` +
          `{ kind: 'timeFrames', steps: 100, duration: 1.4 }`
      : `train: the model has ${steps} time steps, an example of ${data.name} has ${own}; change the model's steps, ` +
          'or give it an encoder',
  );
}

/** @throws UserError unless the model can answer the examples */
export function checkExamples(model: Model, data: TrainingData, { likelihood }: TrainingOptions): void {
  checkSteps(model, data);
  const { shape } = model.input;
  const encoder = encoderFor(model, data);
  const given = encoder ? encoderOf(encoder).outputShape(encoder, data.shape) : data.shape;
  if (sizeOf(shape) !== sizeOf(given)) {
    const example = encoder ? `${encoder.kind} makes of ${data.name}` : `an example of ${data.name} has`;
    throw new UserError(
      `train: the model's input is [${shape}] = ${sizeOf(shape)} numbers, ${example} ` +
        `[${given}] = ${sizeOf(given)}; change the model's input`,
    );
  }
  if (isRegression(data) !== (likelihood !== 'categorical')) {
    const expected = isRegression(data) ? "{ kind: 'gaussian', deviation }" : "'categorical'";
    throw new UserError(
      `train: ${data.name} has ${isRegression(data) ? 'real targets' : 'classes'}; set likelihood to ${expected}`,
    );
  }
  const outputs = outputsOf(data);
  if (classesOf(model) !== outputs) {
    throw new UserError(
      `train: the model has ${classesOf(model)} outputs, ${data.name} has ${outputs} ${isRegression(data) ? 'targets an example' : 'classes'}; change the units of its last synapse`,
    );
  }
  if (encoder || isRecordings(data)) return;
  if (model.input.type === 'uint8' && data.inputs instanceof Float32Array) {
    throw new UserError(
      `train: the model takes bytes, ${data.name} holds real numbers; make the model's input float32`,
    );
  }
  if (model.input.type === 'uint8' && Math.abs(model.input.scale - data.scale) > 1e-12) {
    throw new UserError(
      `train: the model takes bytes of scale ${model.input.scale}, those of ${data.name} have ${data.scale}; change the model's input scale`,
    );
  }
}
