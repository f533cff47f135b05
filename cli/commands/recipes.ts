import type { Command } from 'commander';
import { recipeModel, recipeNamed, recipes, writtenRecipe } from '../../train/index.ts';
import { openTrainingData } from '../data.ts';
import { parameterCounts } from '../network.ts';
import { addJson, count, type DataOptions } from '../options.ts';
import { grouped, say, sayJson, table } from '../output.ts';
import { readableJson } from '../recipe.ts';

interface RecipesOptions extends Partial<DataOptions> {
  readonly json?: true;
}

export function define(command: Command): void {
  command
    .argument('[name]', 'Print this one in full, as JSON that train takes: --model FILE --options FILE')
    .option('--data <kind>', 'Examples to fit its network to; those that it was made for unless given')
    .option('--limit <count>', 'Take only the first so many examples', count);
  addJson(command).action(run);
}

async function run(name: string | undefined, { data, limit, json }: RecipesOptions): Promise<void> {
  if (name === undefined) {
    list(json);
    return;
  }
  const recipe = recipeNamed(name);
  const examples =
    data === undefined ? undefined : await openTrainingData({ data, ...(limit !== undefined && { limit }) });
  const written = writtenRecipe(recipe, examples);
  if (json) sayJson(written);
  else say(readableJson(written));
}

function list(json: true | undefined): void {
  const rows = Object.values(recipes).map((recipe) => ({
    name: recipe.name,
    summary: recipe.summary,
    data: recipe.data.name,
    weights: parameterCounts(recipeModel(recipe)).weights,
  }));
  say(
    table([
      ['recipe', 'weights', 'data'],
      ...rows.map(({ name, weights, data }) => [name, grouped(weights), data]),
    ]),
  );
  say();
  for (const { name, summary } of rows) say(`${name}: ${summary}`);
  if (json) sayJson({ recipes: rows });
}
