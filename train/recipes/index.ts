/** Networks and trainings by name. A new one is a file beside this and a line in the table. */
import { UserError } from '../../schemas/errors.ts';
import { checkOptions } from '../../schemas/layer.ts';
import { defineModel, type Model } from '../../schemas/model.ts';
import { nearest } from '../../schemas/nearest.ts';
import type { TrainingData } from '../data/index.ts';
import { type TrainingOptions, trainingOptionsSchema } from '../options.ts';
import { cifar10Binary } from './cifar10-binary.ts';
import { cifar10Small } from './cifar10-small.ts';
import { digits } from './digits.ts';
import { dvsGesture } from './dvs-gesture.ts';
import { dvsGestureSmall } from './dvs-gesture-small.ts';
import { type DataFacts, factsOf } from './facts.ts';
import type { Recipe } from './recipe.ts';
import { shd } from './shd.ts';
import { shdSmall } from './shd-small.ts';

export type { Recipe } from './recipe.ts';

const table = [digits, shdSmall, dvsGestureSmall, cifar10Small, shd, dvsGesture, cifar10Binary];

/** Every recipe by its name. */
export const recipes: Readonly<Record<string, Recipe>> = Object.fromEntries(
  table.map((recipe) => [recipe.name, recipe]),
);

/** @throws UserError where there is none of that name, with the one that was likely meant */
export function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name]!;
  const names = Object.keys(recipes);
  const meant = nearest(name, names);
  throw new UserError(
    `no recipe is called '${name}'; ${meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}`}`,
  );
}

/**
 * The network of a recipe, fitted to examples: their shape, classes and length.
 *
 * @param data the examples; without, those that the recipe was made for
 * @throws UserError where it cannot be fitted to them
 */
export function recipeModel({ name, model, data: made }: Recipe, data?: TrainingData): Model {
  const facts: DataFacts = data ? factsOf(data) : made.facts;
  const definition = model(facts);
  try {
    return defineModel(definition);
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    throw new UserError(`recipe ${name}: does not fit ${facts.name}: ${cause.message}`, { cause });
  }
}

/** A recipe in full: every option of its training, and its network. */
export interface WrittenRecipe {
  readonly recipe: string;
  readonly summary: string;
  /** Data that it was made for, as `openDataset` or `openRecordings` names them. */
  readonly data: string;
  readonly model: Model;
  readonly options: TrainingOptions;
}

/**
 * A recipe in full, as plain data that a training can be given.
 *
 * @param data examples to fit its network to; without, those that it was made for
 */
export function writtenRecipe(recipe: Recipe, data?: TrainingData): WrittenRecipe {
  const { name, summary, training } = recipe;
  return {
    recipe: name,
    summary,
    data: data?.name ?? recipe.data.name,
    model: recipeModel(recipe, data),
    options: checkOptions(trainingOptionsSchema, training, `recipe ${name}`),
  };
}
