import type { Bias, Figure, Figures } from './figures.ts';
import type { MeasuredLayer, Measured, Measurement } from './measure.ts';

/** The medians of all figures over networks that were measured alike; a figure that most lack is not a number. */
export function medianOf(networks: readonly Measurement[]): Measurement {
  const [first] = networks as [Measurement];
  if (networks.length === 1) return first;
  const ratios = networks.flatMap(({ meanSquareRatio }) => meanSquareRatio ?? []);
  return {
    exactTruth: first.exactTruth,
    meanSquareRatio: ratios.length > 0 ? median(ratios) : undefined,
    estimators: first.estimators.map((one, index): Measured => {
      const alike = networks.map(({ estimators }) => estimators[index] as Measured);
      return {
        name: one.name,
        estimator: one.estimator,
        exact: alike.every(({ exact }) => exact),
        layers: one.layers.map(
          ({ layer }, place): MeasuredLayer => ({
            layer,
            ...medianFigures(alike.map(({ layers }) => layers[place] as MeasuredLayer)),
          }),
        ),
        hidden: medianFigures(alike.map(({ hidden }) => hidden)),
      };
    }),
  };
}

const medianFigures = (figures: readonly Figures[]): Figures => ({
  bias: medianBias(figures.map(({ bias }) => bias)),
  variance: medianFigure(figures.map(({ variance }) => variance)),
  cosine: medianFigure(figures.map(({ cosine }) => cosine)),
  alignment: medianFigure(figures.map(({ alignment }) => alignment)),
});

/** Its error is the median one of a single network: that of the median is smaller. */
function medianFigure(figures: readonly Figure[]): Figure {
  const errors = figures.flatMap(({ error }) => error ?? []);
  return {
    value: median(figures.map(({ value }) => value)),
    ...(errors.length > 0 && { error: median(errors) }),
  };
}

/** Resolved where that of most networks is; else below the median of what they all stay below. */
function medianBias(biases: readonly Bias[]): Bias {
  const resolved = biases.filter((bias) => bias.resolved).length * 2 > biases.length;
  if (resolved) return { ...medianFigure(biases), resolved };
  const limits = biases.map(({ value, limit }) => limit ?? value);
  return { value: median(biases.map(({ value }) => value)), resolved, limit: median(limits) };
}

/** Not a number where half of the numbers are none. */
function median(numbers: readonly number[]): number {
  const finite = numbers.filter(Number.isFinite).toSorted((a, b) => a - b);
  if (finite.length * 2 <= numbers.length) return Number.NaN;
  const middle = (finite.length - 1) / 2;
  return ((finite[Math.floor(middle)] as number) + (finite[Math.ceil(middle)] as number)) / 2;
}
