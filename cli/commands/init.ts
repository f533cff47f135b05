import { type Command } from 'commander';
import { UserError } from '../../schemas/errors.ts';
import { type Recipe, recipeNamed, recipes } from '../../train/index.ts';
import { configName } from '../config.ts';
import { schemaPath } from '../config-schema.ts';
import { addJson } from '../options.ts';
import { say, sayJson, shellWord } from '../output.ts';
import { readableJson } from '../recipe.ts';
import { exists, writeWhole } from '../write-file.ts';

interface InitOptions {
  readonly recipe: string;
  readonly data?: string;
  readonly json?: true;
}

export function define(command: Command): void {
  const names = Object.keys(recipes).join(', ');
  command
    .argument('[file]', 'What to write', configName)
    .option('--recipe <name>', `What to start from: ${names}`, 'digits')
    .option('--data <kind>', 'The examples, named as for train; those of the recipe unless given');
  addJson(command).action(run);
}

async function run(file: string, { recipe: name, data, json }: InitOptions): Promise<void> {
  const recipe = recipeNamed(name);
  if (await exists(file)) {
    throw new UserError(`init: ${file} is there already; remove it, or name another file`);
  }
  await writeWhole(file, new TextEncoder().encode(startingPoint(recipe, data ?? recipe.data.name)));
  const next = file === configName ? 'bitspike train' : `bitspike train ${shellWord(file)}`;
  say(`wrote ${file}; next: ${next}`);
  if (json) sayJson({ file, recipe: recipe.name, data: data ?? recipe.data.name });
}

/** A file that trains as it is, and says what else may stand in it. */
function startingPoint(recipe: Recipe, data: string): string {
  const training = Object.entries({ seed: 1, ...recipe.training }).map(
    ([option, value]) => `    ${JSON.stringify(option)}: ${readableJson(value, '    ')},`,
  );
  return `{
  // Editors complete and check what stands here.
  "$schema": ${JSON.stringify(schemaPath)},

  // ${recipe.summary}.
  // In its stead: "hidden": [512, 512], or "model", a network in full: bitspike recipes ${recipe.name}
  "recipe": ${JSON.stringify(recipe.name)},

  // Labelled examples: mnist, idx:FOLDER, cifar10:FOLDER, shd:PATH, … (docs/data.md)
  "data": ${JSON.stringify(data)},

  // Checkpoints and figures of the training go here. Every flag of bitspike train wins over this file: --out run2
  "out": "run",

  // What decides the result, with data and network; bitspike train --help lists all of it.
  "training": {
${training.join('\n')}
    // Examples to hold out, and judge the network on after every epoch.
    "validation": ${recipe.training.validation ?? 0.1}
  },

  // Checkpoints that stay; with keepBest that of the best epoch too.
  "keep": 2,
  "keepBest": true,

  // TensorBoard event files: true, or a folder for them.
  "tensorboard": false
}
`;
}
