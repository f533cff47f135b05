/** How the values of options about the objective and the validation of a training are read. */
import { InvalidArgumentError } from 'commander';
import { type TrainingSettings, trainingOptionsSchema } from '../train/index.ts';
import { number, oneOf } from './options.ts';

const { likelihood: likelihoods, earlyStopping: rules, validationNetwork } = trainingOptionsSchema.shape;

/** `categorical`, or `gaussian:0.1` with its deviation. */
export function likelihood(text: string): TrainingSettings['likelihood'] {
  const [kind, deviation, ...more] = text.split(':');
  const given = deviation === undefined ? kind : { kind, deviation: number(deviation) };
  const { success, data } = likelihoods.safeParse(given);
  if (success && more.length === 0) return data;
  throw new InvalidArgumentError('Expected categorical or gaussian:DEVIATION.');
}

/** `5`: epochs to wait for a better loss; `5:accuracy`, and `5:accuracy:0.001` to be better by as much. */
export function earlyStopping(text: string): TrainingSettings['earlyStopping'] {
  const [patience = '', on, minimumDelta, ...more] = text.split(':');
  const delta = minimumDelta === undefined ? {} : { minimumDelta: number(minimumDelta) };
  const { success, data } = rules.safeParse({ patience: number(patience), ...(on && { on }), ...delta });
  if (success && data && more.length === 0) return data;
  throw new InvalidArgumentError('Expected EPOCHS[:loss|accuracy[:MINIMUM]].');
}

export const network = oneOf(validationNetwork.unwrap().options);
