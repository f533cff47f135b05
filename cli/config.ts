/** `bitspike.json`: a training in a file. Every flag of `bitspike train` wins over it. */
import { access, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { reasonOf, UserError } from '../schemas/errors.ts';
import { modelOfJson, parseJson } from '../schemas/json.ts';
import { checkOptions } from '../schemas/layer.ts';
import type { Model } from '../schemas/model.ts';
import { recipes, type TrainingSettings, trainingOptionsSchema } from '../train/index.ts';
import { withoutComments } from './json-comments.ts';
import { readModelJson } from './recipe.ts';

/** Read where no recipe or other file is named. */
export const configName = 'bitspike.json';

/** What a file may say besides the network itself. */
export const configShape = {
  $schema: z.string().exactOptional().meta({ description: 'Where editors find what may stand here.' }),
  recipe: z
    .string()
    .exactOptional()
    .meta({
      description: `Network and training by name: ${Object.keys(recipes).join(', ')}.`,
      examples: Object.keys(recipes),
    }),
  data: z.string().exactOptional().meta({
    description: 'Labelled examples, named as by --data: mnist, idx:FOLDER, cifar10:FOLDER, shd:PATH, …',
  }),
  limit: z.int().positive().exactOptional().meta({ description: 'Takes only the first so many examples.' }),
  out: z.string().exactOptional().meta({ description: 'The folder to save into.' }),
  hidden: z.array(z.int().positive()).min(1).exactOptional().meta({
    description: 'Sizes of the hidden layers, where neither model nor recipe is given.',
  }),
  training: trainingOptionsSchema
    .exactOptional()
    .meta({ description: 'What decides the result, with the data and the network.' }),
  engine: z.enum(['onnx', 'tfjs']).exactOptional().meta({ description: 'What computes; onnx unless given.' }),
  backend: z.string().exactOptional().meta({ description: 'Backend of the engine tfjs.' }),
  threads: z.int().positive().exactOptional().meta({ description: 'Threads that compute.' }),
  workers: z.int().min(0).max(64).exactOptional().meta({ description: 'Threads that prepare batches.' }),
  monitor: z.union([z.boolean(), z.int().positive()]).exactOptional().meta({
    description: 'Whether to look at spike rates and gradients, or every so many steps.',
  }),
  keep: z.int().positive().exactOptional().meta({ description: 'Checkpoints that stay; 2 unless given.' }),
  keepBest: z.boolean().exactOptional().meta({
    description: 'Whether the checkpoint of the best epoch stays too; needs training.validation.',
  }),
  tensorboard: z.union([z.boolean(), z.string()]).exactOptional().meta({
    description: 'Whether to write TensorBoard event files, or the folder for them.',
  }),
};

const modelDescription = 'The network, or the name of a JSON file that holds it.';

const configSchema = z.strictObject({
  ...configShape,
  model: z
    .union([z.string(), z.looseObject({})])
    .exactOptional()
    .meta({ description: modelDescription }),
});

/** The same, with all that a network may be. */
export const configWith = (model: z.ZodType) =>
  z.strictObject({
    ...configShape,
    model: z.union([z.string(), model]).exactOptional().meta({ description: modelDescription }),
  });

/** A training in a file, with its network read and its options as they stand there. */
export interface Config extends Omit<z.output<typeof configSchema>, '$schema' | 'model' | 'training'> {
  readonly model?: Model;
  readonly training?: TrainingSettings;
}

/** Whether an argument names a file rather than a recipe. */
export const isConfigFile = (name: string): boolean => /\.jsonc?$/.test(name) || /[/\\]/.test(name);

/** The file that is read where none is named, if it is there. */
export const usualConfig = (): Promise<string | undefined> =>
  access(configName).then(
    () => configName,
    () => undefined,
  );

/**
 * Reads a training from a file of JSON, which may have comments.
 *
 * @throws UserError that names the file, and the option that is wrong
 */
export async function readConfig(path: string): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UserError(
      `${path}: cannot read the configuration: ${reasonOf(cause)}; bitspike init writes one`,
      {
        cause,
      },
    );
  });
  const json = parseJson(withoutComments(text), path);
  const { $schema: _schema, model, training: _complete, ...config } = checkOptions(configSchema, json, path);
  if (config.hidden && (model !== undefined || config.recipe !== undefined)) {
    throw new UserError(`${path}: hidden is for a training without model and recipe; leave one of them out`);
  }
  // As it stands there: what is left out has to be told from what is given.
  const { training } = json as { readonly training?: TrainingSettings };
  const read =
    typeof model === 'string'
      ? await readModelJson(isAbsolute(model) ? model : join(dirname(path), model))
      : model && modelOfJson(model, path);
  return { ...config, ...(read && { model: read }), ...(training && { training }) };
}
