import { UserError } from '../schemas/errors.ts';
import { fires, placesOf } from '../schemas/model.ts';
import { learnedTensor, type LearnedTensor, type Posterior } from '../schemas/posterior.ts';
import { softplus } from './decisions.ts';

/**
 * The same posterior, warmer or cooler. What was learned stays; how sure it is changes.
 *
 * - Bernoulli: E[w] = tanh(λ/τ), whatever the temperature was before.
 * - Gaussian: σ · τ for the weights and biases in front of neurons, which is the `noiseScale` of training; the
 *   readout's noise stays.
 *
 * @param temperature τ, above 0; towards 0, samples of the hidden layers become the mean
 * @throws UserError for a temperature that is not above 0
 */
export function atTemperature(posterior: Posterior, temperature: number): Posterior {
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new UserError(`a posterior has no temperature of ${temperature}; expected a number above 0`);
  }
  if (posterior.family === 'bernoulli') return { ...posterior, temperature };
  const learned: Record<string, LearnedTensor> = { ...posterior.learned };
  for (const owner of beforeNeurons(posterior)) {
    for (const name of Object.keys(learned)) {
      if (!name.startsWith(`${owner}.`) || !name.endsWith('.rho')) continue;
      const { shape, data } = learnedTensor(posterior, name);
      learned[name] = { shape, data: data.map((rho) => inverseSoftplus(temperature * softplus(rho))) };
    }
  }
  return { ...posterior, learned };
}

/** Names of the layers that drive neurons: their own, or those right behind them. */
function beforeNeurons({ model }: Posterior): string[] {
  const places = placesOf(model);
  return places
    .filter((place, index) => [place, places[index + 1]].some((each) => each && fires(each)))
    .map(({ name }) => name);
}

/** log(e^y − 1), so that softplus of it is y > 0. */
const inverseSoftplus = (y: number): number => y + Math.log(-Math.expm1(-y));
