import { z } from 'zod';
import { UserError } from '../../../schemas/errors.ts';

/** Whole numbers with commas between. */
export const withoutSchema = z
  .string()
  .regex(/^\d{1,3}(,\d{1,3})*$/, 'expected labels with commas between, such as 10 or 3,10')
  .transform((text) => text.split(',').map(Number))
  .exactOptional()
  .meta({ description: 'Labels to leave out, such as 10; the later ones move down.' });

/** Which labels stay: what each becomes, or −1 where it is left out, and the names that are left. */
export interface KeptLabels {
  readonly labels: readonly number[];
  readonly classNames: readonly string[];
}

/** @throws UserError where a label to leave out is none, or none is left */
export function keepLabels(
  classNames: readonly string[],
  without: readonly number[],
  name: string,
): KeptLabels {
  const stray = without.find((label) => label >= classNames.length);
  if (stray !== undefined) {
    throw new UserError(
      `data ${name}: without: label ${stray} is none of the ${classNames.length}; expected 0 … ${classNames.length - 1}`,
    );
  }
  const kept = classNames.map((_, label) => label).filter((label) => !without.includes(label));
  if (kept.length === 0) throw new UserError(`data ${name}: without: leaves no label; leave out fewer`);
  return {
    labels: classNames.map((_, label) => kept.indexOf(label)),
    classNames: kept.map((label) => classNames[label]!),
  };
}

/** Names of classes that have none: their numbers. */
export const numbered = (classes: number): string[] =>
  Array.from({ length: classes }, (_, label) => String(label));
