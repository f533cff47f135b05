import type { Command } from 'commander';
import { reportOnnx } from '../../export/index.ts';
import { evaluate, load } from '../../runtime/index.ts';
import { readModelFile } from '../../runtime/load.ts';
import type { Split } from '../../train/data/index.ts';
import { dataText, inputsFor, openData } from '../data.ts';
import { addData, addJson, addThreads, choice, type DataOptions } from '../options.ts';
import { facts, microseconds, percent, say, sayJson } from '../output.ts';

interface EvalOptions extends DataOptions {
  readonly split: Split;
  readonly threads?: number;
  readonly json?: true;
}

export function define(command: Command): void {
  addData(command.argument('<file>', 'An .onnx that bitspike exported')).addOption(
    choice('--split <name>', 'Which half of the data', ['train', 'test']).default('test'),
  );
  addJson(addThreads(command)).action(run);
}

async function run(file: string, options: EvalOptions): Promise<void> {
  const { split, threads, json } = options;
  const { model } = reportOnnx(await readModelFile(file), file);
  const data = await openData(options, split);
  const inputs = inputsFor(model, data, file);
  const network = await load(file, threads === undefined ? {} : { threads });
  const found = await evaluate(network, inputs, data.labels);
  await network.close();

  say(
    facts({
      data: dataText(data),
      accuracy: percent(found.accuracy),
      'negative log likelihood': `${found.negativeLogLikelihood.toFixed(4)} nats`,
      'Brier score': found.brier.toFixed(4),
      'time per example': microseconds(found.secondsPerExample),
    }),
  );
  if (json) sayJson({ file, data: data.name, ...found });
}
