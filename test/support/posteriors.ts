import type { Family, Model, Posterior } from '../../schemas/index.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { learnedShapes } from '../../schemas/posterior.ts';
import { Random } from '../../schemas/random.ts';

/** A posterior whose numbers are uniform in ±1. */
export function randomPosterior(
  model: Model,
  family: Family = { family: 'bernoulli' },
  { seed = 5, classNames = ['a', 'b', 'c'] as readonly string[] } = {},
): Posterior {
  const learned = Object.fromEntries(
    Object.entries(learnedShapes(model, family)).map(([name, shape]) => {
      const random = Random.fromSeed(seed, name);
      const data = Float32Array.from({ length: sizeOf(shape) }, () => 2 * random.nextUniform() - 1);
      return [name, { shape, data }];
    }),
  );
  return { ...family, model, learned, classNames };
}
