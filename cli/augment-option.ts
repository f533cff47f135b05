import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { didYouMean } from '../schemas/nearest.ts';
import { augmentations, type AugmentationKind, type AugmentationSpec } from '../train/index.ts';

const names = Object.keys(augmentations);
const isKind = (name: string): name is AugmentationKind => Object.hasOwn(augmentations, name);

const fieldsOf = (kind: AugmentationKind): string[] =>
  Object.keys((augmentations[kind].augmentation.options as z.ZodObject).shape);

function augmentationOf(text: string): AugmentationSpec {
  const [kind, ...values] = text.split(':') as [string, ...string[]];
  if (!isKind(kind)) {
    throw new InvalidArgumentError(
      `Expected none, or of ${names.join(', ')}, each with its options as in crop:4${didYouMean(kind, names)}.`,
    );
  }
  const fields = fieldsOf(kind);
  if (values.length > fields.length) {
    throw new InvalidArgumentError(
      `Expected ${[kind, ...fields].join(':')}, from the first on; ${values.length} are given.`,
    );
  }
  const given = values.map((value, index) => {
    const number = Number(value);
    return [fields[index], value.trim() === '' || Number.isNaN(number) ? value : number];
  });
  const options = augmentations[kind].augmentation.options as z.ZodObject;
  const { success, data, error } = options.safeParse(Object.fromEntries(given));
  if (success) return { kind, ...data } as AugmentationSpec;
  const [{ path, message }] = error.issues as [z.core.$ZodIssue];
  throw new InvalidArgumentError(`In ${text}, ${path.join('.')}: ${message}.`);
}

/**
 * Reads `crop:4,flip`, one augmentation after another, each with its options in the order of its schema; the option can
 * be given again for more. `none` takes away those of a recipe.
 */
export const augment = (
  text: string,
  before: readonly AugmentationSpec[] = [],
): readonly AugmentationSpec[] =>
  text === 'none' ? [] : [...before, ...text.split(',').map(augmentationOf)];
