/** One training step of recipes on a random batch: what they cost here, without data and without a peer. */
import { parseArgs } from 'node:util';
import { onnxEngine } from '../train/engine/onnx.ts';
import { trainingOptionsSchema } from '../train/options.ts';
import { recipeModel, recipes } from '../train/recipes/index.ts';
import { stepsOf } from '../schemas/model.ts';
import { engineContender } from './contenders/engine.ts';
import { clocks, type Findings, measure, type Row, rounded } from './harness.ts';
import { integers, oneOf, severalOf } from './options.ts';

const options = {
  recipes: { type: 'string', default: 'cifar10-small,dvs-gesture-small' },
  threads: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '3' },
  steps: { type: 'string', default: '5' },
  clock: { type: 'string', default: 'wall' },
  profile: { type: 'boolean', default: false },
} as const;

/** Probability of an input spike. */
const RATE = 0.05;

/** Runs a row for each recipe, at its own batch size. */
export const run = async (given: string[]): Promise<Findings> => {
  const { values } = parseArgs({ args: given, options });
  const [threads, rounds, steps] = (['threads', 'rounds', 'steps'] as const).map(
    (name) => integers(name, values[name])[0]!,
  ) as [number, number, number];
  const clock = oneOf('clock', values.clock, clocks);
  const [rows, notes]: [Row[], string[]] = [[], []];
  for (const name of severalOf('recipes', values.recipes, Object.keys(recipes))) {
    const recipe = recipes[name]!;
    const model = recipeModel(recipe);
    const spikes = stepsOf(model) > 1;
    const training = trainingOptionsSchema.parse(recipe.training);
    const ours = engineContender(
      { model, options: training, power: spikes ? RATE : 1 / 3, spikes },
      { engine: onnxEngine({ threads }), threads, clock },
    );
    try {
      // Memory is still asked for in the first steps.
      const [found] = await measure([ours], { rounds, steps, warmUp: 3 });
      const milliseconds = rounded(found!);
      rows.push({
        name: `${name}/${threads}`,
        peer: '–',
        ours: milliseconds,
        theirs: null,
        unit: 'ms',
        ratio: null,
      });
      const peak = Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
      notes.push(
        `${name}: batch ${training.batchSize}; memory of this process at its peak so far ${peak} MB`,
      );
      if (values.profile) notes.push(`where ${name} goes, by onnxruntime's clock:\n${await ours.profile()}`);
    } finally {
      await ours.close();
    }
  }
  return { rows, notes };
};
