import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../schemas/errors.ts';
import type { Model } from '../../schemas/model.ts';
import { sharedData } from '../../train/data/index.ts';
import type { Progress, TrainingData } from '../../train/index.ts';
import { dataText, openTrainingData } from '../data.ts';
import { Interrupted, interruptible } from '../interrupt.ts';
import { addJson, choice, count, counts, whole } from '../options.ts';
import { clock, facts, grouped, percent, say, sayJson, table, warn } from '../output.ts';
import { ProgressLine, trainingText } from '../progress.ts';
import {
  checkJobs,
  figureOf,
  type Job,
  keepPlan,
  merit,
  type Metric,
  type Outcome,
  runJob,
} from '../sweep/jobs.ts';
import { grid, random, readSpace } from '../sweep/read-space.ts';
import { sideBySide } from '../sweep/side-by-side.ts';
import { type Choice, choicesOf, settingsWith } from '../sweep/space.ts';
import {
  addBase,
  addOptions,
  describeTraining,
  type Described,
  type Given,
  givenModel,
  networkFor,
  type TrainFlags,
} from '../training.ts';

interface SweepFlags extends TrainFlags {
  readonly grid?: Record<string, unknown>;
  readonly random?: Record<string, unknown>;
  readonly space?: string;
  readonly runs?: number;
  readonly draw?: number;
  readonly metric?: Metric;
  readonly jobs: number;
}

export function define(command: Command): void {
  addBase(command)
    .option('--grid <option=values>', 'Values to try, such as learningRate=0.01,0.02; again for more', grid)
    .option(
      '--random <option=range>',
      'A range or values to draw from, such as penaltyWeight=1e-7:1e-4:log',
      random,
    )
    .option('--space <file>', 'The same as JSON: { "grid": …, "random": …, "runs": 20, "seed": 1 }')
    .option('--runs <count>', 'How often to draw (default: 10)', count)
    .option('--draw <seed>', 'Decides what is drawn (default: 1)', whole)
    .option(
      '--jobs <count>',
      'Trainings side by side, which share the cores unless --threads says how many each has',
      count,
      1,
    )
    .addOption(
      choice('--metric <name>', 'What is looked for (default: accuracy where there is one, else loss)', [
        'loss',
        'accuracy',
      ]),
    );
  addJson(addOptions(command)).action((name: string | undefined, flags: SweepFlags) =>
    run(command, name, flags),
  );
}

async function run(command: Command, name: string | undefined, flags: SweepFlags): Promise<void> {
  const described = await describeTraining(command, name, flags);
  const { given, settings } = described;
  const { out, json } = given;
  const space = await readSpace(flags.space, flags);
  const choices = choicesOf(space);
  const data = await openTrainingData(given);
  const jobs = await jobsOf(choices, described, data);
  checkJobs(jobs);
  const metric =
    flags.metric ??
    (settings.likelihood === undefined || settings.likelihood === 'categorical' ? 'accuracy' : 'loss');
  await keepPlan(out, {
    settings,
    space,
    model: jobs.some(({ choice }) => 'hidden' in choice) ? null : jobs[0]?.model,
  });
  say(
    facts({
      data: dataText(data),
      sweep: `${grouped(jobs.length)} trainings, looking for ${metric}`,
      folder: out,
    }),
  );
  say();

  const outcomes = await trainAll(jobs, data, metric, { ...given, jobs: flags.jobs });
  const ranked = outcomes.toSorted((a, b) => merit(b.best, metric) - merit(a.best, metric));
  say();
  say(table(rowsOf(ranked, metric)));
  const [best] = ranked;
  if (best?.best)
    say(`\nthe best is ${best.folder}; next: bitspike export ${best.folder} --out network.onnx`);
  if (json) sayJson({ sweep: out, metric, runs: ranked, ...(best?.best && { best: best.name }) });
  if (!best?.best)
    throw new UserError(`${out}: every training of the sweep failed; the first: ${outcomes[0]?.failure}`);
}

/** Trains all, as many side by side as there shall be. @returns what came of each, in their order */
async function trainAll(
  all: readonly Job[],
  data: TrainingData,
  metric: Metric,
  { out, engine, backend, workers, jobs, ...given }: Given & Pick<SweepFlags, 'jobs'>,
): Promise<Outcome[]> {
  const inThread = jobs > 1;
  const share = Math.max(1, Math.floor(availableParallelism() / jobs));
  const threads = given.threads ?? (inThread ? share : undefined);
  // The threads would each have a copy.
  const examples = inThread ? sharedData(data) : data;
  const line = new ProgressLine();
  const underWay = new Map<string, Progress>();
  const train = async (job: Job, signal: AbortSignal): Promise<Outcome> => {
    const onProgress = (progress: Progress): void => {
      underWay.set(job.name, progress);
      line.show(() => underWayText(underWay, all.length));
    };
    const running = { engine, backend, threads, workers, signal, warn, onProgress, inThread };
    const outcome = await runJob(job, examples, metric, running);
    underWay.delete(job.name);
    line.clear();
    say(`${job.name} of ${all.length}   ${choiceText(job.choice)}   ${outcomeText(outcome, metric)}`);
    return outcome;
  };
  try {
    return await interruptible(
      (signal) => sideBySide(all, jobs, signal, train),
      () => say('stopping after this step; once more (Ctrl-C) stops at once, without saving'),
    );
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, `stopped, and saved in ${out}; go on with the same command`);
  } finally {
    line.clear();
  }
}

/** One training with all there is to say of it; of several the epochs, so that a line holds them. */
function underWayText(underWay: ReadonlyMap<string, Progress>, count: number): string {
  const [[name, only] = ['', undefined], ...others] = underWay;
  if (only && others.length === 0) return `${name} of ${count}   ${trainingText(only)}`;
  const each = [...underWay].map(
    ([job, { epoch, epochs, remainingSeconds }]) =>
      `${job} epoch ${epoch + 1}/${epochs}, ${clock(remainingSeconds)} left`,
  );
  return `of ${count}:   ${each.join('   ')}`;
}

async function jobsOf(
  choices: readonly Choice[],
  { given, settings, recipe }: Described,
  data: TrainingData,
): Promise<Job[]> {
  const digits = Math.max(3, String(choices.length).length);
  const base = await givenModel(given, data, recipe);
  return choices.map((choice, index) => {
    const name = String(index + 1).padStart(digits, '0');
    return {
      name,
      choice,
      folder: join(given.out, name),
      model: modelFor(choice, data, base),
      settings: settingsWith(settings, choice),
    };
  });
}

function modelFor({ hidden }: Choice, data: TrainingData, base: Model | undefined): Model {
  if (hidden === undefined) return base ?? networkFor(data);
  if (base)
    throw new UserError('sweep: hidden is for a training without model and recipe; leave one of them out');
  const list = Array.isArray(hidden) ? hidden.join() : String(hidden);
  return networkFor(data, counts(list));
}

const valueText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const choiceText = (choice: Choice): string =>
  Object.entries(choice)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join('   ');

function figureText(outcome: Outcome, metric: Metric): string {
  const figure = outcome.best && figureOf(outcome.best, metric);
  if (figure === undefined) return '–';
  return metric === 'accuracy' ? percent(figure) : figure.toFixed(4);
}

const outcomeText = (outcome: Outcome, metric: Metric): string =>
  outcome.failure ?? `${metric} ${figureText(outcome, metric)}`;

function rowsOf(outcomes: readonly Outcome[], metric: Metric): string[][] {
  const names = [...new Set(outcomes.flatMap(({ choice }) => Object.keys(choice)))];
  const judged = outcomes.some(({ best }) => best?.validation) ? 'validation ' : '';
  const metrics: Metric[] = metric === 'accuracy' ? ['accuracy', 'loss'] : ['loss'];
  return [
    ['run', ...names, ...metrics.map((each) => `${judged}${each}`), 'epoch'],
    ...outcomes.map((outcome) => [
      outcome.name,
      ...names.map((name) => valueText(outcome.choice[name] ?? '')),
      ...metrics.map((each) => figureText(outcome, each)),
      outcome.best ? String(outcome.best.epoch + 1) : 'failed',
    ]),
  ];
}
