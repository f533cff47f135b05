import { join } from 'node:path';
import type { Command } from 'commander';
import { freeze, type FreezeOptions, type Network, reportOnnx, toOnnx } from '../../export/index.ts';
import { type Evaluation, evaluate, load } from '../../runtime/index.ts';
import { makeFolder } from '../../schemas/checkpoint/durable.ts';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import type { Posterior } from '../../schemas/posterior.ts';
import {
  type Dataset,
  mnist,
  recipeModel,
  recipeNamed,
  train,
  trainingOptionsSchema,
} from '../../train/index.ts';
import { type Agreement, compareWithOracle } from '../agreement.ts';
import { dataText, inputsFor } from '../data.ts';
import { networkText, parameterCounts } from '../network.ts';
import { addJson, count } from '../options.ts';
import { bytesText, facts, grouped, microseconds, percent, say, sayJson, table } from '../output.ts';
import { ProgressLine, showTraining, trainedText } from '../progress.ts';
import { writeWhole } from '../write-file.ts';

/** How the digits are learned. */
const recipe = recipeNamed('digits');
const { epochs: usualEpochs } = trainingOptionsSchema.parse(recipe.training);

/** The networks that come of it. */
const networks = {
  mean: { file: 'digits.onnx', choice: { weights: 'mean' } },
  sample: { file: 'digits-sample.onnx', choice: { weights: 'sample', count: 1, seed: 7 } },
  ensemble: { file: 'digits-ensemble.onnx', choice: { weights: 'sample', count: 8, seed: 7 } },
} satisfies Record<string, { file: string; choice: FreezeOptions }>;

type Name = keyof typeof networks;

interface DemoOptions {
  readonly out: string;
  readonly epochs?: number;
  readonly json?: true;
}

/** A network in a file, and how well it does. */
interface Judged {
  readonly network: Network;
  readonly path: string;
  readonly bytes: number;
  readonly bitsPerWeight: number;
  readonly evaluation: Evaluation;
}

export function define(command: Command): void {
  command
    .option('--out <folder>', 'Where the .onnx files go', 'digits')
    .option('--epochs <count>', `Passes over the digits (default: ${usualEpochs})`, count);
  addJson(command).action(run);
}

async function run({ out, epochs = usualEpochs, json }: DemoOptions): Promise<void> {
  const started = performance.now();
  await makeFolder(out).catch((cause: unknown) => {
    throw new UserError(`${out}: cannot be made a folder: ${reasonOf(cause)}`, { cause });
  });
  const digits = await mnist('train');
  const test = await mnist('test');
  const model = recipeModel(recipe, digits);
  const { weights, others } = parameterCounts(model);
  say(
    facts({ data: dataText(digits), network: `${networkText(model)}, ${grouped(weights)} binary weights` }),
  );
  say();

  const {
    result: posterior,
    last,
    seconds,
  } = await showTraining((onProgress) => train(model, digits, { ...recipe.training, epochs, onProgress }));
  if (last) say(trainedText(last, seconds));

  const mean = await judge('mean', posterior, test, out);
  const sample = await judge('sample', posterior, test, out);
  const ensemble = await judge('ensemble', posterior, test, out);
  say();
  say(resultTable({ mean, sample, ensemble }, 4 * (weights + others)));
  say();
  const agreements = await checkAgreement(mean, test);
  for (const device of devices) say(agreementText(device, agreements[device]));
  const disagreements = devices.reduce((sum, device) => sum + disagreementsOf(agreements[device]), 0);
  say(`the networks are in ${out}; look into one: bitspike inspect ${mean.path}`);
  if (json) {
    sayJson({
      meanAccuracy: mean.evaluation.accuracy,
      sampleAccuracy: sample.evaluation.accuracy,
      ensembleAccuracy: ensemble.evaluation.accuracy,
      bitsPerWeight: mean.bitsPerWeight,
      bytes: mean.bytes,
      ensembleBytes: ensemble.bytes,
      float32Bytes: 4 * (weights + others),
      disagreements,
      trainingSeconds: seconds,
      seconds: (performance.now() - started) / 1000,
    });
  }
  if (disagreements > 0) {
    throw new UserError(`demo: ${mean.path} does not compute what its definition says; please report this`);
  }
}

/** Freezes, writes the file and runs the test digits through it. */
async function judge(name: Name, posterior: Posterior, test: Dataset, out: string): Promise<Judged> {
  const { file, choice } = networks[name];
  const path = join(out, file);
  const network = freeze(posterior, choice);
  const bytes = toOnnx(network);
  await writeWhole(path, bytes);
  const loaded = await load(path);
  const evaluation = await evaluate(loaded, inputsFor(network.model, test, path), test.labels);
  await loaded.close();
  return {
    network,
    path,
    bytes: bytes.length,
    bitsPerWeight: reportOnnx(bytes, path).bitsPerWeight.file,
    evaluation,
  };
}

const titles: Readonly<Record<Name, string>> = {
  mean: 'mean of the posterior',
  sample: 'one sample',
  ensemble: `ensemble of ${networks.ensemble.choice.count} samples`,
};

function resultTable(judged: Readonly<Record<Name, Judged>>, float32: number): string {
  const rows = Object.entries(titles).map(([name, title]) => {
    const { bytes, bitsPerWeight, evaluation, network } = judged[name as Name];
    return [
      title,
      percent(evaluation.accuracy),
      `${evaluation.negativeLogLikelihood.toFixed(4)} nats`,
      bytesText(bytes),
      bytesText(float32 * network.members.length),
      bitsPerWeight.toFixed(3),
      microseconds(evaluation.secondsPerExample),
    ];
  });
  return table([
    ['test digits', 'accuracy', 'log loss', 'file', 'as float32', 'bits/weight', 'per digit'],
    ...rows,
  ]);
}

/** What the file is run on beside the oracle: onnxruntime, and the engine of one bit per weight. */
const devices = ['cpu', 'bits'] as const;
type Checked = (typeof devices)[number];

/** Compares every hidden activation of the mean network in its file, on each device, with the float64 oracle. */
async function checkAgreement({ network, path }: Judged, test: Dataset): Promise<Record<Checked, Agreement>> {
  const line = new ProgressLine();
  const plain = await load(path);
  const [observe = []] = plain.description.layers;
  await plain.close();
  const loaded = await Promise.all(devices.map((device) => load(path, { device, observe })));
  try {
    const found = await compareWithOracle(
      network,
      loaded,
      inputsFor(network.model, test, path),
      (done, all) => line.show(() => `checking against float64: ${grouped(done)} of ${grouped(all)} digits`),
    );
    return Object.fromEntries(devices.map((device, index) => [device, found[index]])) as Record<
      Checked,
      Agreement
    >;
  } finally {
    line.clear();
    await Promise.all(loaded.map((network) => network.close()));
  }
}

const disagreementsOf = ({ differingActivations, differingPredictions }: Agreement): number =>
  differingActivations + differingPredictions;

const ran: Readonly<Record<Checked, string>> = { cpu: 'onnxruntime', bits: 'the 1-bit engine' };

const agreementText = (device: Checked, { examples, activations, ...differing }: Agreement): string =>
  `the .onnx in ${ran[device]} against float64 on ${grouped(examples)} digits: ${differing.differingActivations} of ` +
  `${grouped(activations)} hidden activations differ, ${differing.differingPredictions} predictions differ`;
