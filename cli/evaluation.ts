import { reportOnnx } from '../export/index.ts';
import {
  type Calibration,
  type Evaluation,
  evaluate,
  evaluateOutOfDistribution,
  load,
  type OutOfDistribution,
  riskAt,
} from '../runtime/index.ts';
import { readModelFile } from '../runtime/load.ts';
import { UserError } from '../schemas/errors.ts';
import { classesOf, type Model } from '../schemas/model.ts';
import type { Dataset, Split } from '../train/data/index.ts';
import { dataText, inputsFor, openData } from './data.ts';
import type { DataOptions } from './options.ts';
import { facts, microseconds, percent, say, sayJson, table } from './output.ts';

export interface EvaluationOptions extends DataOptions {
  readonly split: Split;
  readonly ood?: string;
  readonly bins?: true;
  readonly threads?: number;
  readonly json?: true;
}

/** Parts of the examples to answer, the surest first, at which the errors are told. */
const coverages = [1, 0.95, 0.9, 0.8, 0.5];

/** Judges an exported network on labelled examples. */
export async function reportEvaluation(file: string, options: EvaluationOptions): Promise<void> {
  const { split, ood, bins, threads, json } = options;
  const { model } = reportOnnx(await readModelFile(file), file);
  const data = await openData(options, split, model);
  const inputs = inputsFor(model, data, file);
  const outside =
    ood === undefined ? undefined : await openOutside(model, { ...options, data: ood }, data, file);

  const network = await load(file, threads === undefined ? {} : { threads });
  const found = await evaluate(network, inputs, data.labels);
  const apart = outside && (await evaluateOutOfDistribution(network, inputs, outside.inputs));
  await network.close();

  say(evaluationText(data, found));
  say();
  say(riskTable(found));
  if (bins) say(`\n${binsTable(found.calibration)}`);
  if (outside && apart) {
    say();
    say(facts({ 'out of distribution': dataText(outside.data) }));
    say(detectionTable(apart));
  }
  if (json) {
    sayJson({
      file,
      data: data.name,
      ...found,
      // The curve has up to a point for every example; these are those of the table.
      riskCoverage: { area: found.riskCoverage.area, points: risksOf(found) },
      ...(outside && { outOfDistribution: { data: outside.data.name, ...apart } }),
    });
  }
}

/** The examples that `--ood` names, as the network takes them. @throws UserError where they do not fit it */
async function openOutside(
  model: Model,
  options: EvaluationOptions,
  inside: Dataset,
  file: string,
): Promise<{ data: Dataset; inputs: Uint8Array | Float32Array }> {
  const data = await openData(options, options.split, model);
  if (data.name === inside.name) {
    throw new UserError(`eval: --ood names ${data.name}, as --data does; expected examples of another kind`);
  }
  // Nobody asks for its labels, so it may have more classes than the network.
  return { data, inputs: inputsFor(model, { ...data, classes: classesOf(model) }, file) };
}

const fixed = (value: number): string => value.toFixed(4);

const evaluationText = (data: Dataset, found: Evaluation): string =>
  facts({
    data: dataText(data),
    accuracy: percent(found.accuracy),
    'negative log likelihood': `${fixed(found.negativeLogLikelihood)} nats`,
    'Brier score': fixed(found.brier),
    'calibration error (ECE)': fixed(found.calibration.error),
    entropy: `${fixed(found.entropy)} nats`,
    ...(found.mutualInformation !== undefined && {
      'mutual information': `${fixed(found.mutualInformation)} nats`,
    }),
    'time per example': microseconds(found.secondsPerExample),
  });

const risksOf = ({ riskCoverage }: Evaluation): { coverage: number; risk: number }[] =>
  coverages.map((coverage) => ({ coverage, risk: riskAt(riskCoverage, coverage) }));

function riskTable(found: Evaluation): string {
  const points = risksOf(found);
  return table([
    ['answers given, surest first', ...points.map(({ coverage }) => `${coverage * 100} %`), 'area (AURC)'],
    ['errors among them', ...points.map(({ risk }) => percent(risk)), fixed(found.riskCoverage.area)],
  ]);
}

const binsTable = ({ bins }: Calibration): string =>
  table([
    ['top probability', 'examples', 'its mean', 'accuracy'],
    ...bins
      .filter(({ count }) => count > 0)
      .map(({ from, to, count, confidence, accuracy }) => [
        `${percent(from)} – ${percent(to)}`,
        String(count),
        percent(confidence),
        percent(accuracy),
      ]),
  ]);

function detectionTable({ entropy, mutualInformation, topProbability }: OutOfDistribution): string {
  const scores = { entropy, 'mutual information': mutualInformation, '1 − top probability': topProbability };
  return table([
    ['told apart by', 'AUROC', 'AUPR', 'false alarms at 95 % found'],
    ...Object.entries(scores).flatMap(([name, found]) =>
      found ? [[name, fixed(found.auroc), fixed(found.aupr), percent(found.falsePositiveRate)]] : [],
    ),
  ]);
}
