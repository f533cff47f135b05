import type { Command } from 'commander';
import { freeze, type FreezeOptions, reportOnnx, toOnnx } from '../../export/index.ts';
import { loadPosterior } from '../../schemas/checkpoint/index.ts';
import { UserError } from '../../schemas/errors.ts';
import { addJson, choice, count, whole } from '../options.ts';
import { bytesText, grouped, say, sayJson, warn } from '../output.ts';
import { checkTarget, writeWhole } from '../write-file.ts';

interface ExportOptions {
  readonly out: string;
  readonly weights: FreezeOptions['weights'];
  readonly count?: number;
  readonly seed?: number;
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
    .option('--seed <number>', 'Decides the draw', whole);
  addJson(command).action(run);
}

async function run(folder: string, options: ExportOptions): Promise<void> {
  const { out, json } = options;
  await checkTarget(out);
  const choice = choiceOf(options);
  const bytes = toOnnx(freeze(await loadPosterior(folder, { warn }), choice));
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
      ...choice,
      bytes: bytes.length,
      binaryWeights,
      realWeights,
      members,
      bitsPerWeight,
    });
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
