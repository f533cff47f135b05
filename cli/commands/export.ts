import type { Command } from 'commander';
import {
  type ExternalOptions,
  freeze,
  type FreezeOptions,
  type Network,
  type NoisyOnnxOptions,
  type OnnxFiles,
  type OnnxOptions,
  recalibrate,
  reportOnnx,
  toNoisyOnnxFiles,
  toOnnxFiles,
} from '../../export/index.ts';
import { UserError } from '../../schemas/errors.ts';
import { addJson, choice, count, whole } from '../options.ts';
import { bytesText, grouped, say, sayJson } from '../output.ts';
import { openRecalibration } from '../recalibration.ts';
import { loadTrained } from '../trained.ts';
import { checkTriton, writeTriton } from '../triton.ts';
import { checkTarget } from '../write-file.ts';
import { dataNameFor, writeOnnx } from '../write-onnx.ts';

interface ExportOptions {
  readonly out: string;
  readonly weights: FreezeOptions['weights'];
  readonly count?: number;
  readonly seed?: number;
  readonly noise?: 'input';
  readonly recalibrate?: true;
  readonly data?: string;
  readonly limit?: number;
  readonly stream?: true;
  readonly target: 'any' | 'gpu';
  readonly unroll?: true;
  readonly opset?: number;
  readonly functions: boolean;
  readonly external?: true | number;
  readonly triton?: string;
  readonly json?: true;
}

/** `--external` without a number of bytes: all but what is small. */
const LARGE_TENSOR = 1024;

export function define(command: Command): void {
  command
    .argument('<run>', 'The folder that training saved into')
    .requiredOption('--out <file>', 'The .onnx to write')
    .addOption(
      choice(
        '--weights <way>',
        'mean: the likelier sign of every weight; sample: networks drawn; real: Gaussian means, no bits',
        ['mean', 'sample', 'real'],
      ).default('mean'),
    )
    .option('--count <networks>', 'How many to draw; more than one is an ensemble in one file', count)
    .option('--seed <number>', 'Decides the draw', whole)
    .addOption(
      choice(
        '--noise <how>',
        'input: the network as it trains, its weights uncertain, fed with noise; four bytes per weight or more',
        ['input'],
      ),
    )
    .option('--stream', 'Write it to be fed a stream: any number of steps in a call, states in and out')
    .addOption(
      choice(
        '--target <kind>',
        'any: integers; gpu: float32 throughout, of which all runs on a GPU. The same spikes either way',
        ['any', 'gpu'],
      ).default('any'),
    )
    .option('--unroll', 'Write the steps of a sequence one after another, not as a loop; fixes their number')
    .option('--opset <version>', 'Version of the ONNX operators, 21 to 26; 21 unless given', whole)
    .option('--no-functions', 'Write the nodes of layers without a function around each')
    .option(
      '--external [bytes]',
      `Keep tensors of so many bytes and more in a file beside the .onnx; ${LARGE_TENSOR} unless given, and by itself above 2 GB`,
      whole,
    )
    .option('--triton <folder>', 'Add it to a model repository of Triton, too, called as the file is')
    .option('--recalibrate', 'Move biases until neurons fire as often as they did in training; needs --data')
    .option('--data <kind>', 'For --recalibrate: the training examples, named as for train')
    .option(
      '--limit <count>',
      'For --recalibrate: take so many of them; 10000, or 20000 time steps, unless given',
      count,
    );
  addJson(command).action(run);
}

async function run(folder: string, options: ExportOptions): Promise<void> {
  const { out, json, triton } = options;
  await checkTarget(out);
  if (triton !== undefined) await checkTriton(triton, out);
  const { files, choice: chosen } = await filesOf(folder, options);
  if (files.data && triton !== undefined) {
    throw new UserError('export: --triton takes a model in one file; leave out --external');
  }
  await writeOnnx(out, files);
  const { model, data } = files;
  if (triton !== undefined) say(`wrote ${await writeTriton(triton, out, model)} for Triton`);

  const { binaryWeights, realWeights, members } = reportOnnx(model, out);
  const bytes = model.length + (data?.parts ?? []).reduce((sum, part) => sum + part.length, 0);
  const weights = realWeights > 0 ? `${grouped(realWeights)} real` : `${grouped(binaryWeights)} binary`;
  const bitsPerWeight = (bytes * 8) / (binaryWeights + realWeights);
  say(
    `wrote ${out}${data ? ` and ${data.name}` : ''}: ${members === 1 ? 'one network' : `${members} networks`}, ${bytesText(bytes)}, ` +
      `${weights} weights, ${bitsPerWeight.toFixed(3)} bits each with everything around them`,
  );
  if (json) {
    const found = { bytes, binaryWeights, realWeights, members, bitsPerWeight: { file: bitsPerWeight } };
    sayJson({ file: out, ...(data && { data: data.name }), ...chosen, ...found });
  }
}

/** What is written, and how its weights were chosen. */
async function filesOf(
  folder: string,
  options: ExportOptions,
): Promise<{ readonly files: OnnxFiles; readonly choice: object }> {
  const { out, stream, target, unroll, opset, functions, external } = options;
  const beside: ExternalOptions = {
    nameOf: dataNameFor(out),
    threshold: external === true ? LARGE_TENSOR : external,
  };
  // The schema of the options says which versions there are.
  const common = {
    functions,
    ...(opset !== undefined && { opset: opset as NonNullable<OnnxOptions['opset']> }),
  };
  if (options.noise) {
    refuseWithNoise(options);
    const { posterior, noise } = await loadTrained(folder);
    const noisy: NoisyOnnxOptions = { ...common, ...noise };
    return { files: toNoisyOnnxFiles(posterior, noisy, beside), choice: { weights: 'noise', ...noise } };
  }
  const form = stream ? 'stream' : 'whole';
  const network = await networkOf(folder, options);
  const files = toOnnxFiles(network, { ...common, form, target, ...(unroll && { unroll }) }, beside);
  return { files, choice: network.choice };
}

/** @throws UserError naming an option that has no meaning where weights stay uncertain */
function refuseWithNoise(options: ExportOptions): void {
  const flags = ['count', 'seed', 'recalibrate', 'data', 'limit', 'stream', 'unroll'] as const;
  const unused =
    flags.find((name) => options[name] !== undefined) ??
    (options.weights === 'mean' ? undefined : 'weights') ??
    (options.target === 'any' ? undefined : 'target');
  if (unused)
    throw new UserError(`export: --${unused} is for frozen networks; --noise input leaves weights uncertain`);
}

/** The network that the options make of the last posterior of a run. */
async function networkOf(folder: string, options: ExportOptions): Promise<Network> {
  const { recalibrate: isRecalibrated, data, limit } = options;
  const choice = choiceOf(options);
  if (isRecalibrated && data === undefined)
    throw new UserError(
      'export: --recalibrate needs --data, the training examples that tell how often to fire',
    );
  const unused = (['data', 'limit'] as const).find((name) => options[name] !== undefined);
  if (!isRecalibrated && unused)
    throw new UserError(`export: --${unused} is for --recalibrate, which is not there`);

  const trained = await loadTrained(folder);
  const network = freeze(trained.posterior, choice);
  if (data === undefined) return network;
  const {
    inputs,
    rates,
    data: used,
  } = await openRecalibration(trained, folder, { data, ...(limit !== undefined && { limit }) });
  say(`recalibrated on ${grouped(used.count)} examples of ${used.name}`);
  return recalibrate(network, inputs, rates);
}

function choiceOf({ weights, count, seed }: ExportOptions): FreezeOptions {
  if (weights !== 'sample') {
    if (count === undefined && seed === undefined) return { weights };
    throw new UserError(`export: --count and --seed are for --weights sample; ${weights} is one network`);
  }
  if (seed === undefined)
    throw new UserError('export: --weights sample needs --seed, which decides the draw');
  return { weights, seed, ...(count && { count }) };
}
