import { sizeOf } from '../schemas/layer.ts';
import { stepsOf } from '../schemas/model.ts';
import type { Posterior } from '../schemas/posterior.ts';
import type { Dataset } from './data/index.ts';
import { neuronsOf } from './judge.ts';
import { checkedOptions, noisyAnswers, type NoisyPredictionOptions } from './predict-noisy.ts';

/**
 * How often each neuron fires while the weights are uncertain, as in training: the mean of P(spike) = F(u/σ) over
 * the examples, their time steps and draws of the noise, with F the distribution of the noise (docs/method.md).
 *
 * @param data its labels are not read
 * @returns by the name of each layer of neurons (`1.binary`) the rates of its channels, the last axis, 0 … 1
 * @throws UserError for options that do not fit, or data that do not fit the model
 */
export async function noisyRates(
  posterior: Posterior,
  data: Dataset,
  given: NoisyPredictionOptions = {},
): Promise<Record<string, Float32Array>> {
  const options = checkedOptions('noisyRates', posterior, data, given);
  const { model } = posterior;
  const neurons = neuronsOf(model).map(({ name, output }) => {
    const sums = new Float64Array(output.at(-1) ?? 1);
    return { name, sums, size: sizeOf(output) };
  });
  for await (const { count, firing } of noisyAnswers(posterior, data, options, { firing: true })) {
    for (const { name, sums, size } of neurons) {
      firing[name]?.forEach((probability, index) => {
        const row = Math.floor(index / size);
        // The last batch is filled up with what was counted before.
        if (row % options.batchSize < count) sums[index % sums.length]! += probability;
      });
    }
  }
  const runs = data.count * options.draws * stepsOf(model);
  return Object.fromEntries(
    neurons.map(({ name, sums, size }) => [
      name,
      Float32Array.from(sums, (total) => (total * sums.length) / (size * runs)),
    ]),
  );
}
