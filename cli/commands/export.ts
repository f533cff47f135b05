import type { Command } from 'commander';
import {
  freeze,
  type FreezeOptions,
  type Network,
  recalibrate,
  reportOnnx,
  toOnnx,
} from '../../export/index.ts';
import { UserError } from '../../schemas/errors.ts';
import { addJson, choice, count, whole } from '../options.ts';
import { bytesText, grouped, say, sayJson } from '../output.ts';
import { openRecalibration } from '../recalibration.ts';
import { loadTrained } from '../trained.ts';
import { checkTarget, writeWhole } from '../write-file.ts';

interface ExportOptions {
  readonly out: string;
  readonly weights: FreezeOptions['weights'];
  readonly count?: number;
  readonly seed?: number;
  readonly recalibrate?: true;
  readonly data?: string;
  readonly limit?: number;
  readonly json?: true;
}

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
  const { out, json } = options;
  await checkTarget(out);
  const network = await networkOf(folder, options);
  const bytes = toOnnx(network);
  await writeWhole(out, bytes);

  const { binaryWeights, realWeights, members, bitsPerWeight } = reportOnnx(bytes, out);
  const weights = realWeights > 0 ? `${grouped(realWeights)} real` : `${grouped(binaryWeights)} binary`;
  say(
    `wrote ${out}: ${members === 1 ? 'one network' : `${members} networks`}, ${bytesText(bytes.length)}, ` +
      `${weights} weights, ${bitsPerWeight.file.toFixed(3)} bits each with everything around them`,
  );
  if (json)
    sayJson({
      file: out,
      ...network.choice,
      bytes: bytes.length,
      binaryWeights,
      realWeights,
      members,
      bitsPerWeight,
    });
}

/** The network that the options make of the last posterior of a run. */
async function networkOf(folder: string, options: ExportOptions): Promise<Network> {
  const { recalibrate: isRecalibrated, data, ...others } = options;
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
  const { inputs, rates, data: used } = await openRecalibration(trained, folder, { ...others, data });
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
