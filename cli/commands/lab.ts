import { type Command, Option } from 'commander';
import { UserError } from '../../schemas/errors.ts';
import { estimators as kinds, type Estimator, importanceWeighted, surrogate } from '../../train/index.ts';
import { type LabOptions, labOptionsSchema, runLab } from '../../train/lab/index.ts';
import { interruptible } from '../interrupt.ts';
import { layerTables, networkTables } from '../lab-tables.ts';
import { addJson, choice, count, counts, number, someOf, whole, withChoices } from '../options.ts';
import { clock, say, sayJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { checkTarget, writeWhole } from '../write-file.ts';

type Kind = keyof typeof kinds;

interface Given extends Partial<Omit<LabOptions, 'networks'>> {
  readonly widths?: readonly number[];
  readonly depth?: readonly number[];
  readonly width?: number;
  readonly estimators?: readonly Kind[];
  readonly mixes?: readonly number[];
  readonly svg?: string;
  readonly json?: true;
}

const WIDTH = 4;
const DEPTHS = [2, 4, 8, 16];
const MIXES = [0.25, 0.5, 0.75, 1];

const names = Object.keys(kinds) as Kind[];

const { shape } = labOptionsSchema;

/** An option of the lab; what it means and its default are the schema's. */
function described(flags: string, name: keyof typeof shape): Option {
  const { description = '' } = shape[name].meta() ?? {};
  const text = description.replace(/\.$/, '');
  const standard = shape[name].parse(undefined);
  return new Option(flags, standard === false ? text : `${text} (default: ${String(standard)})`);
}

export function define(command: Command): void {
  command
    .option('--widths <counts>', 'Hidden layers of one network to measure, such as 4,4,8', counts)
    .option(
      '--depth <counts>',
      `Numbers of hidden layers to measure, from few to many (default: ${DEPTHS})`,
      counts,
    )
    .option('--width <count>', `Neurons in each of these layers (default: ${WIDTH})`, count)
    .option('--estimators <names>', `Which to measure: ${names.join(', ')} (default: all)`, someOf(names))
    .option(
      '--mixes <parts>',
      `Mixes of importanceWeighted (default: ${MIXES}; straightThrough is that of 0)`,
      (text: string) => text.split(',').map(number),
    )
    .addOption(withChoices(described('--weights <kind>', 'weights'), shape.weights.unwrap().options))
    .addOption(withChoices(described('--loss <name>', 'loss'), shape.loss.unwrap().options))
    .addOption(described('--through-variances', 'throughVariances'))
    .addOption(
      choice(
        '--penalty <form>',
        `${shape.penalty.meta()?.description ?? ''}`,
        shape.penalty.unwrap().options,
      ),
    )
    .addOption(described('--penalty-weight <weight>', 'penaltyWeight').argParser(number))
    .addOption(described('--steps <count>', 'steps').argParser(whole))
    .addOption(described('--learning-rate <rate>', 'learningRate').argParser(number))
    .addOption(described('--repeats <count>', 'repeats').argParser(count))
    .addOption(described('--samples <count>', 'samples').argParser(count))
    .addOption(described('--seed <number>', 'seed').argParser(whole))
    .option('--svg <file>', 'Draw bias and variance against depth');
  addJson(command).action(run);
}

async function run(given: Given): Promise<void> {
  const { widths, depth, width, estimators: chosen, mixes, svg, json, ...options } = given;
  if (widths && (depth || width)) {
    throw new UserError(
      'lab: --widths names one network, --depth and --width several; leave one of them out',
    );
  }
  if (svg !== undefined) await checkTarget(svg);
  // The packages that draw may be missing: better known before the measurement than after.
  const chart = svg === undefined ? undefined : await import('../lab-chart.ts');
  const networks = widths
    ? [[...widths]]
    : (depth ?? DEPTHS).map((layers) => Array.from({ length: layers }, () => width ?? WIDTH));
  const started = performance.now();
  const line = new ProgressLine();
  const found = await interruptible(
    (signal) =>
      runLab(estimatorsOf(chosen ?? names, mixes ?? MIXES), {
        ...options,
        networks,
        signal,
        onProgress: (doing) => line.show(() => doing),
      }),
    () => line.clear(),
  ).finally(() => line.clear());

  const [smallest] = found;
  for (const network of found.filter((each) => each.widths === smallest?.widths))
    say(`${layerTables(network)}\n`);
  if (found.length > 1) say(`hidden layers together\n\n${networkTables(found)}\n`);
  say(`measured in ${clock((performance.now() - started) / 1000)}`);
  if (svg !== undefined && chart) {
    await writeWhole(svg, new TextEncoder().encode(chart.labChart(found)));
    say(`${svg}: bias and variance against depth`);
  }
  if (json) sayJson({ networks: found });
}

/** Estimators by name, each with all that its options span: mixes, and shapes of surrogates. */
function estimatorsOf(chosen: readonly Kind[], mixes: readonly number[]): Estimator[] {
  return chosen.flatMap((name) => {
    if (name === 'importanceWeighted') return mixes.map((mix) => importanceWeighted({ mix }));
    if (name === 'surrogate') {
      return surrogate.shape.shape.unwrap().options.map((form) => surrogate({ shape: form }));
    }
    return [kinds[name]()];
  });
}
