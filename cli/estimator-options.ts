import { type Command, Option } from 'commander';
import { UserError } from '../schemas/errors.ts';
import { estimators, type TrainingSettings, trainingOptionsSchema } from '../train/index.ts';
import { choice, number } from './options.ts';

/** The flags of single estimators: the option each stands for, and the estimators that have it. */
const flags = [
  { name: 'mix', option: 'mix', value: 'part' },
  // A plain --temperature would read as the posterior's.
  { name: 'estimatorTemperature', option: 'temperature', value: 'number' },
  { name: 'surrogateShape', option: 'shape', value: 'name' },
  { name: 'surrogateWidth', option: 'width', value: 'number' },
] as const;

const kinds = Object.values(estimators);
const ofFlag = (option: string): string[] =>
  kinds.filter(({ shape }) => option in shape).map(({ kind }) => kind);

const dashed = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const standard = trainingOptionsSchema.shape.estimator.parse(undefined).kind;

/** Adds the choice of an estimator and the options of each. */
export function addEstimator(command: Command): Command {
  const names = kinds.map(({ kind }) => kind);
  command.addOption(
    choice('--estimator <name>', `How gradients pass the neurons (default: ${standard})`, names),
  );
  for (const { name, option, value } of flags) {
    const described = new Option(`${dashed(name)} <${value}>`, `For ${ofFlag(option).join(', ')}`);
    command.addOption(value === 'name' ? described : described.argParser(number));
  }
  return command;
}

/**
 * The estimator that was asked for, if any.
 *
 * @throws UserError for a flag that the estimator does not have
 */
export function estimatorSettings(
  options: Readonly<Record<string, unknown>>,
): Pick<TrainingSettings, 'estimator'> {
  const given = flags.filter(({ name }) => name in options);
  if (!('estimator' in options) && given.length === 0) return {};
  const kind = String(options.estimator ?? standard);
  for (const { name, option } of given) {
    const having = ofFlag(option);
    if (having.includes(kind)) continue;
    throw new UserError(
      `${dashed(name)} is not for the estimator ${kind}; leave it out or choose --estimator ${having.join(' or ')}`,
    );
  }
  const chosen = Object.fromEntries(given.map(({ name, option }) => [option, options[name]]));
  // The schema checks it with all the other options.
  return { estimator: { kind, ...chosen } as TrainingSettings['estimator'] };
}
