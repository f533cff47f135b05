/** Options that several commands have, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { didYouMean } from '../schemas/nearest.ts';

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

/** A whole number, 0 or more. */
export function whole(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Expected a whole number.');
  return value;
}

/** A whole number, 1 or more. */
export function count(text: string): number {
  const value = whole(text);
  if (value === 0) throw new InvalidArgumentError('Expected a whole number above 0.');
  return value;
}

/** `512,256` */
export const counts = (text: string): number[] => text.split(',').map(count);

export interface DataOptions {
  readonly data: string;
  readonly limit?: number;
}

export const dataOption = (): Option =>
  new Option(
    '--data <kind>',
    'Labelled examples: mnist, idx:FOLDER, cifar10:FOLDER, frames:FOLDER, npy:FOLDER, shd:PATH, ssc:PATH, nmnist:PATH, dvs-gesture:FOLDER; docs/data.md',
  );

export const addLimit = (command: Command): Command =>
  command.option('--limit <count>', 'Take only the first so many examples', count);

export const addData = (command: Command): Command =>
  addLimit(command.addOption(dataOption().makeOptionMandatory()));

export const addThreads = (command: Command): Command =>
  command.option('--threads <count>', 'Threads that compute; all cores unless given', count);

export const addJson = (command: Command): Command =>
  command.option('--json', 'Print the result as JSON, in the last line');

/** Reads one of these values. */
export const oneOf =
  <Value extends string>(values: readonly Value[]) =>
  (text: string): Value => {
    const found = values.find((value) => value === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Expected one of ${values.join(', ')}${didYouMean(text, values)}.`);
  };

/** Reads some of these values, with commas between. */
export const someOf =
  <Value extends string>(values: readonly Value[]) =>
  (text: string): Value[] =>
    text.split(',').map((part) => {
      const found = values.find((value) => value === part);
      if (found !== undefined) return found;
      throw new InvalidArgumentError(
        `Expected some of ${values.join(', ')}; '${part}' is none${didYouMean(part, values)}.`,
      );
    });

/** Lets an option have a fixed set of values, which its help then lists. */
export const withChoices = (option: Option, values: readonly string[]): Option =>
  option.choices(values).argParser(oneOf(values));

/** An option with a fixed set of values. */
export const choice = (flags: string, description: string, values: readonly string[]): Option =>
  withChoices(new Option(flags, description), values);
