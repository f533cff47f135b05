/** A training as recipe, file and flags describe it: what `train` and `sweep` share. */
import { type Command, Option } from 'commander';
import { UserError } from '../schemas/errors.ts';
import type { Model } from '../schemas/model.ts';
import {
  type FolderRunOptions,
  isRecordings,
  isRegression,
  type Recipe,
  recipeModel,
  recipeNamed,
  recipes,
  type TrainingData,
  type TrainingSettings,
} from '../train/index.ts';
import { type Config, configName, isConfigFile, readConfig, usualConfig } from './config.ts';
import type { MonitorFlags } from './monitor.ts';
import { binaryNetwork, regressionNetwork } from './network.ts';
import { addLimit, addThreads, choice, counts, dataOption, type DataOptions, whole } from './options.ts';
import { readModelJson, readOptionsJson } from './recipe.ts';
import { addTraining, settingsOf } from './training-options.ts';

export interface TrainFlags
  extends Partial<DataOptions>,
    MonitorFlags,
    Pick<FolderRunOptions, 'engine' | 'backend' | 'threads' | 'workers' | 'keep' | 'keepBest'> {
  readonly out?: string;
  readonly hidden?: readonly number[];
  readonly model?: string;
  readonly options?: string;
  readonly tensorboard?: boolean | string;
  readonly resume?: true;
  readonly json?: true;
}

/** The flags, and what the file of the training says where there are none. */
export type Given = Omit<TrainFlags, 'model' | 'data' | 'out'> &
  DataOptions & { readonly out: string; readonly model?: string | Model };

const defaultHidden = [512, 512];

/** Adds what names a training and its data, and where it is saved. */
export function addBase(command: Command): Command {
  const names = Object.keys(recipes).join(', ');
  addLimit(
    command
      .argument(
        '[recipe]',
        `Network and training by name (${names}), or the file of one; ${configName} where it is there`,
      )
      .addOption(dataOption())
      .option('--out <folder>', 'Where to save, at the end of every epoch and when interrupted')
      .addOption(
        new Option('--hidden <sizes>', `Sizes of the hidden layers (default: ${defaultHidden.join()})`)
          .argParser(counts)
          .conflicts('model'),
      )
      .option('--model <file>', 'A network as JSON, instead of --hidden or of that of a recipe')
      .option('--options <file>', 'Options of the training as JSON; those that are flags here win'),
  );
  return command;
}

/** Adds every option of a training, and what computes it. */
export function addOptions(command: Command): Command {
  addTraining(command)
    .addOption(choice('--engine <name>', 'What computes (default: onnx)', ['onnx', 'tfjs']))
    .option('--backend <name>', 'Backend of the engine tfjs (default: tensorflow)');
  return addThreads(command).option(
    '--workers <count>',
    'Threads that prepare batches; none unless given',
    whole,
  );
}

interface Base {
  /** Of the file. */
  readonly path?: string;
  readonly config: Config;
  readonly recipe?: Recipe;
}

/** A training that is described whole. */
export interface Described extends Base {
  readonly given: Given;
  /** Options that are given, by the recipe, the file or flags. */
  readonly settings: TrainingSettings;
}

/** Reads what a command was told to train. Flags win over the file, and that over the recipe. */
export async function describeTraining(
  command: Command,
  name: string | undefined,
  flags: TrainFlags,
): Promise<Described> {
  const base = await read(name);
  const given = merged(command, base.config, flags);
  const settings: TrainingSettings = {
    ...base.recipe?.training,
    ...base.config.training,
    ...(given.options !== undefined && (await readOptionsJson(given.options))),
    ...settingsOf({ ...flags }),
  };
  return { ...base, given, settings };
}

/** What is to be trained: a recipe, the file of a training, or what flags say alone. */
async function read(name: string | undefined): Promise<Base> {
  if (name !== undefined && !isConfigFile(name)) return { config: {}, recipe: recipeNamed(name) };
  const path = name ?? (await usualConfig());
  if (path === undefined) return { config: {} };
  const config = await readConfig(path);
  return { path, config, ...(config.recipe !== undefined && { recipe: recipeNamed(config.recipe) }) };
}

/** Flags win over the file. */
function merged(command: Command, config: Config, flags: TrainFlags): Given {
  const { recipe: _recipe, training: _training, tensorboard, hidden, model, ...file } = config;
  // A network by flags stands instead of that of the file.
  const network =
    flags.hidden || flags.model !== undefined ? {} : { ...(hidden && { hidden }), ...(model && { model }) };
  const written = tensorboard ? { tensorboard } : {};
  const { data, out, ...given } = { ...file, ...network, ...written, ...flags };
  // In the words that commander has for an option that must be there.
  for (const [name, value] of [
    ['--data <kind>', data],
    ['--out <folder>', out],
  ]) {
    if (value === undefined) {
      command.error(`error: required option '${name}' not specified`, {
        code: 'commander.missingMandatoryOptionValue',
      });
    }
  }
  return { ...given, data: data as string, out: out as string };
}

/** The network that was named, if one was. */
export async function givenModel(
  { model, hidden }: Given,
  data: TrainingData,
  recipe: Recipe | undefined,
): Promise<Model | undefined> {
  if (model !== undefined) return typeof model === 'string' ? readModelJson(model) : model;
  if (recipe && hidden) {
    throw new UserError(
      `train: the recipe ${recipe.name} has a network of its own; leave out --hidden, or give another by --model`,
    );
  }
  if (recipe) return recipeModel(recipe, data);
  return hidden && networkFor(data, hidden);
}

/** The network of dense layers for examples. @throws UserError where they are none that it is for */
export function networkFor(data: TrainingData, hidden: readonly number[] = defaultHidden): Model {
  if (isRegression(data)) return regressionNetwork(data, hidden);
  if (!isRecordings(data) && (data.steps ?? 1) === 1) return binaryNetwork(data, hidden);
  throw new UserError(
    `train: ${data.name} holds ${isRecordings(data) ? 'events' : 'sequences'}, which --hidden makes no network for; give a recipe such as shd-small, or --model`,
  );
}
