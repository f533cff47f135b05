import { Command, CommanderError } from 'commander';
import { UserError } from '../schemas/errors.ts';
import { version } from '../schemas/version.ts';
import { Interrupted } from './interrupt.ts';
import { beQuiet, inOneLine } from './output.ts';

interface CommandModule {
  /** Adds arguments, options and the action. */
  define(command: Command): void;
}

/** Commands load when they are named, so that one whose packages are missing leaves the others alone. */
const commands: Readonly<Record<string, readonly [summary: string, load: () => Promise<CommandModule>]>> = {
  init: ['Write a training to start from, as bitspike.json', () => import('./commands/init.ts')],
  train: ['Learn a network from labelled examples', () => import('./commands/train.ts')],
  sweep: ['Train over a grid of options, or over random ones', () => import('./commands/sweep.ts')],
  recipes: ['List networks and trainings by name, or print one', () => import('./commands/recipes.ts')],
  export: ['Write a trained network as .onnx, one bit per weight', () => import('./commands/export.ts')],
  eval: ['Judge an .onnx or a training on labelled examples', () => import('./commands/eval.ts')],
  serve: ['Answer requests over HTTP with .onnx networks', () => import('./commands/serve.ts')],
  report: ['Tell of a training in one HTML page with charts', () => import('./commands/report.ts')],
  inspect: ['Tell what is in an .onnx and where its bytes go', () => import('./commands/inspect.ts')],
  doctor: ['Tell which devices this machine can run networks on', () => import('./commands/doctor.ts')],
  verify: [
    'Hold an .onnx on every device to what it means, certify it',
    () => import('./commands/verify.ts'),
  ],
  lab: ['Measure bias and variance of gradient estimators', () => import('./commands/lab.ts')],
  demo: ['Train, export and judge a network on handwritten digits', () => import('./commands/demo.ts')],
};

/**
 * Runs the command line.
 *
 * @param args without the program's own name
 * @returns the exit code: 0 done, 1 a mistake in what was given, 2 wrong usage, 70 a defect, 128 + n for signal n
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  const program = new Command('bitspike')
    .description('Trains binary and spiking Bayesian networks, exports and runs them as ONNX.')
    .version(version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Show this help')
    .helpCommand('help [command]', 'Show the help of a command')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`bitspike: ${inOneLine(text.replace(/^error: /, ''))}\n`),
    });
  try {
    for (const [name, [summary, load]] of Object.entries(commands)) {
      const command = program.command(name).description(summary);
      if (!args.includes(name)) continue;
      (await load()).define(command);
      command.option('-q, --quiet', 'Say nothing but what --json asks for, and what goes wrong');
    }
    program.hook('preAction', (_, command) => {
      beQuiet(command.opts<{ quiet?: true }>().quiet ?? false);
    });
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return explain(error);
  }
}

/** Says what went wrong; the exit code for it. */
function explain(error: unknown): number {
  // Commander has said what it had to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const line =
    error instanceof UserError || error instanceof Interrupted ? error.message : missingPackage(error);
  if (line !== undefined) {
    console.error(`bitspike: ${inOneLine(line)}`);
    return error instanceof Interrupted ? error.exitCode : 1;
  }
  console.error(error instanceof Error ? error.stack : error);
  console.error(`bitspike: this is a defect of bitspike ${version}; please report it with the lines above`);
  return 70;
}

/** The engines are packages that one installs as one needs them. */
function missingPackage(error: unknown): string | undefined {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
  const [, name] = (isMissing && /^Cannot find package '([^']+)'/.exec(error.message)) || [];
  return name && `this needs the package ${name}: npm install ${name}`;
}
