import { stat } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { UserError } from '../../schemas/errors.ts';
import { type EvaluationOptions, reportEvaluation } from '../evaluation.ts';
import { type FreezeReportOptions, reportFreezing } from '../freeze-report.ts';
import { addData, addJson, addThreads, choice, count, number, whole } from '../options.ts';

type EvalOptions = EvaluationOptions & FreezeReportOptions;

/** `1,0.5,0.1` */
function temperatures(text: string): number[] {
  const found = text.split(',').map(number);
  if (found.some((temperature) => temperature <= 0))
    throw new InvalidArgumentError('Expected numbers above 0, such as 1,0.5,0.1.');
  return found;
}

export function define(command: Command): void {
  addData(command.argument('<path>', 'An .onnx that bitspike exported, or the folder of a training'))
    .addOption(choice('--split <name>', 'Which half of the data', ['train', 'test']).default('test'))
    .option('--ood <kind>', 'Of an .onnx: other examples, named as --data is, for it to find strange')
    .option('--bins', 'Of an .onnx: print how often it is right, by how sure it is')
    .option('--temperatures <list>', 'Of a training: judge its posterior at each, as 1,0.5,0.1', temperatures)
    .option('--count <networks>', 'Of a training: networks to draw for an ensemble (default: 8)', count)
    .option('--seed <number>', 'Of a training: decides the draws (default: 1)', whole);
  addJson(addThreads(command)).action(run);
}

/** Options that only one of the two has. */
const own = { file: ['ood', 'bins'], folder: ['temperatures', 'count', 'seed'] } as const;

async function run(path: string, options: EvalOptions): Promise<void> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    // What is not there is said where it is read.
    () => false,
  );
  const odd = own[isFolder ? 'file' : 'folder'].find((name) => options[name] !== undefined);
  if (odd) {
    throw new UserError(
      isFolder
        ? `eval: --${odd} is for an .onnx, and ${path} is a folder; export its network first`
        : `eval: --${odd} is for the folder of a training, and ${path} is none`,
    );
  }
  await (isFolder ? reportFreezing(path, options) : reportEvaluation(path, options));
}
