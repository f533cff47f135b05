/** A number with its standard error, which an exact one lacks; NaN where it is not defined. */
export interface Figure {
  readonly value: number;
  readonly error?: number;
}

/** A bias, and whether it stands out from its error. */
export interface Bias extends Figure {
  /** False where the bias is within two standard errors of none; `limit` is then what it stays below. */
  readonly resolved: boolean;
  readonly limit?: number;
}

/** How an estimator's gradient relates to the true one, over the learned numbers of a layer, or of all. */
export interface Figures {
  /** ‖E[ĝ] − g‖ / ‖g‖ */
  readonly bias: Bias;
  /** tr Cov[ĝ] / ‖g‖², of one step on all examples. */
  readonly variance: Figure;
  /** Between E[ĝ] and g. */
  readonly cosine: Figure;
  /** ⟨E[ĝ], g⟩ / (‖g‖ √E‖ĝ‖²): what bias and variance together leave of the true direction in one step. */
  readonly alignment: Figure;
}

/** Vectors whose mean is the estimate: one that is exact, or several that are independent. */
export type Sample = readonly Float64Array[];

/**
 * The figures of an estimator.
 *
 * Squares of sampled means would count their noise as bias. So ‖E[ĝ]‖² and ‖g‖² are means of products of two
 * different groups, which have no such share, and leaving out one group after the other tells the standard errors
 * (jackknife).
 *
 * @param squares E‖ĝ‖² per group of the estimate
 */
export function figuresOf(estimate: Sample, squares: readonly number[], truth: Sample): Figures {
  const dots = {
    own: products(estimate, estimate),
    cross: products(estimate, truth),
    truth: products(truth, truth),
  };
  const groups = Math.max(estimate.length, truth.length);
  const statistics = (omitted?: number) => {
    const own = squareOfMean(dots.own, omitted);
    const cross = meanOf(
      dots.cross.flatMap((row, a) => (isLeft(estimate, a, omitted) ? kept(row, omitted) : [])),
    );
    const true2 = positive(squareOfMean(dots.truth, omitted));
    const square = meanOf(kept(squares, omitted));
    return {
      bias2: (own - 2 * cross + true2) / true2,
      variance: (square - own) / true2,
      cosine: cross / Math.sqrt(own * true2),
      alignment: cross / Math.sqrt(square * true2),
    };
  };
  const all = statistics();
  if (groups === 1) {
    const { bias2, variance, cosine, alignment } = all;
    return {
      bias: { value: Math.sqrt(Math.max(0, bias2)), resolved: true },
      variance: { value: Math.max(0, variance) },
      cosine: { value: cosine },
      alignment: { value: alignment },
    };
  }
  const without = Array.from({ length: groups }, (_, group) => statistics(group));
  const figure = (name: keyof typeof all): Required<Figure> => ({
    value: all[name],
    error: jackknifeError(without.map((each) => each[name])),
  });
  return {
    bias: biasOf(figure('bias2')),
    variance: figure('variance'),
    cosine: figure('cosine'),
    alignment: figure('alignment'),
  };
}

/** The bias from its square, which is what has a symmetric error. */
function biasOf({ value, error }: Required<Figure>): Bias {
  const root = Math.sqrt(Math.max(0, value));
  if (value > 2 * error) return { value: root, error: error / (2 * root), resolved: true };
  return { value: root, resolved: false, limit: Math.sqrt(Math.max(0, value) + 2 * error) };
}

const isLeft = (sample: readonly unknown[], index: number, omitted: number | undefined): boolean =>
  sample.length === 1 || index !== omitted;

const kept = <T>(sample: readonly T[], omitted: number | undefined): T[] =>
  sample.filter((_, index) => isLeft(sample, index, omitted));

const products = (a: Sample, b: Sample): number[][] =>
  a.map((x) => b.map((y) => x.reduce((sum, value, at) => sum + value * y[at]!, 0)));

/** ‖mean‖² of independent vectors without their own noise: the mean of the products of two different ones. */
function squareOfMean(dots: readonly (readonly number[])[], omitted: number | undefined): number {
  if (dots.length === 1) return dots[0]![0]!;
  return meanOf(
    dots.flatMap((row, a) => (a === omitted ? [] : row.filter((_, b) => b !== omitted && b !== a))),
  );
}

/** A square that its noise made negative tells nothing. */
const positive = (square: number): number => (square > 0 ? square : Number.NaN);

const meanOf = (numbers: readonly number[]): number =>
  numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

/** The standard error of a statistic from its values without each group. */
function jackknifeError(values: readonly number[]): number {
  const middle = meanOf(values);
  const spread = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt((spread * (values.length - 1)) / values.length);
}
