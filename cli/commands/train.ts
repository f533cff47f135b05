import { type Command, Option } from 'commander';
import { UserError } from '../../schemas/errors.ts';
import { checkOptions } from '../../schemas/layer.ts';
import type { Model } from '../../schemas/model.ts';
import {
  type FolderRunOptions,
  heldOutCount,
  loadTraining,
  resumeTraining,
  trainInFolder,
  isRecordings,
  isRegression,
  type TrainingData,
  type TrainingOptions,
  type TrainingSettings,
  trainingOptionsSchema,
} from '../../train/index.ts';
import { dataText, openTrainingData } from '../data.ts';
import { Interrupted, interruptible } from '../interrupt.ts';
import { binaryNetwork, networkText, parameterCounts, readModelJson, regressionNetwork } from '../network.ts';
import { addData, addJson, addThreads, choice, counts, type DataOptions } from '../options.ts';
import { facts, grouped, say, sayJson, shellWord, warn } from '../output.ts';
import { showTraining, trainedText } from '../progress.ts';
import { addTraining, settingsOf } from '../training-options.ts';

interface TrainOptions extends DataOptions, Pick<FolderRunOptions, 'engine' | 'backend' | 'threads'> {
  readonly out: string;
  readonly hidden?: readonly number[];
  readonly model?: string;
  readonly resume?: true;
  readonly json?: true;
}

const defaultHidden = [512, 512];

export function define(command: Command): void {
  addData(command)
    .requiredOption('--out <folder>', 'Where to save, at the end of every epoch and when interrupted')
    .option('--resume', 'Go on with the training in that folder')
    .addOption(
      new Option('--hidden <sizes>', `Sizes of the hidden layers (default: ${defaultHidden.join()})`)
        .argParser(counts)
        .conflicts('model'),
    )
    .option('--model <file>', 'A network as JSON, instead of --hidden');
  addTraining(command)
    .addOption(choice('--engine <name>', 'What computes (default: onnx)', ['onnx', 'tfjs']))
    .option('--backend <name>', 'Backend of the engine tfjs (default: tensorflow)');
  addJson(addThreads(command)).action(run);
}

async function run(options: TrainOptions): Promise<void> {
  const { out, resume, json, engine, backend, threads } = options;
  const data = await openTrainingData(options);
  const settings = settingsOf({ ...options });
  // `resumeTraining` loads it again, and warns.
  const saved = resume ? await loadTraining(out, { warn: () => {} }) : undefined;
  const model = (await givenModel(options, data)) ?? saved?.model ?? networkFor(data, defaultHidden);
  const trained = checkOptions(trainingOptionsSchema, { ...saved?.options, ...settings }, 'train');
  sayPlan(model, data, trained);
  if (saved) say(`goes on after step ${grouped(saved.state.step)}`);
  say();

  const running: TrainingSettings & FolderRunOptions = {
    ...settings,
    engine,
    backend,
    threads,
    warn,
  };
  const { last, validation, seconds } = await showTraining((onProgress, onValidation) =>
    stoppable(options, (signal) =>
      saved
        ? resumeTraining(out, data, { ...running, model, onProgress, onValidation, signal })
        : trainInFolder(out, model, data, { ...running, onProgress, onValidation, signal }),
    ),
  );
  say(last ? trainedText(last, seconds) : 'nothing was left to do');
  const best = validation.findLast((figures) => figures.best);
  if (best) say(`kept the best epoch, ${best.epoch + 1}`);
  say(`saved in ${out}; next: bitspike export ${shellWord(out)} --out network.onnx`);
  if (!json) return;
  const { step = saved?.state.step, reports = {}, examplesPerSecond = null } = last ?? {};
  const judged = validation.length > 0 && { validation };
  sayJson({ run: out, step, reports, examplesPerSecond, seconds, ...judged });
}

async function givenModel({ model, hidden }: TrainOptions, data: TrainingData): Promise<Model | undefined> {
  if (model !== undefined) return readModelJson(model);
  return hidden && networkFor(data, hidden);
}

function networkFor(data: TrainingData, hidden: readonly number[]): Model {
  if (isRegression(data)) return regressionNetwork(data, hidden);
  if (!isRecordings(data) && (data.steps ?? 1) === 1) return binaryNetwork(data, hidden);
  throw new UserError(
    `train: ${data.name} holds ${isRecordings(data) ? 'events' : 'sequences'}, which --hidden makes no network for; give --model`,
  );
}

function sayPlan(model: Model, data: TrainingData, options: TrainingOptions): void {
  const { epochs, batchSize, seed, posterior } = options;
  const held = heldOutCount(data.count, options.validation);
  const steps = Math.floor((data.count - held) / batchSize);
  const kind = posterior.family === 'bernoulli' ? 'binary' : 'Gaussian';
  say(
    facts({
      data: dataText(data),
      network: `${networkText(model)}, ${grouped(parameterCounts(model).weights)} ${kind} weights`,
      training: `${epochs} epochs of ${grouped(steps)} steps, ${batchSize} examples each, seed ${seed}`,
      ...(held > 0 && { validation: `${grouped(held)} of the examples, held out` }),
    }),
  );
}

/** Lets the user stop the training, and tells how to go on. */
async function stoppable<Result>(
  options: TrainOptions,
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await interruptible(action, () =>
      say('stopping after this step; once more (Ctrl-C) stops at once, without saving'),
    );
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(
      error.signal,
      `stopped, and saved in ${options.out}; go on with: bitspike train ${resumingArguments(options)}`,
    );
  }
}

/** The folder knows the model and what decides the result; the rest is to be given again. */
const resumingArguments = ({ data, limit, out, engine, backend, threads }: TrainOptions): string => {
  const given = Object.entries({ data, limit, out, engine, backend, threads })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name} ${shellWord(String(value))}`);
  return [...given, '--resume'].join(' ');
};
