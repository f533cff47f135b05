/** A symmetric noise of scale 1 in float64: F and F'. */
export interface PlainNoise {
  readonly cumulative: (x: number) => number;
  readonly density: (x: number) => number;
}

const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** F(x) = ½ + φ(x) (x + x³/3 + x⁵/(3 · 5) + …), to 1e-15 of 1. */
function normalCumulative(x: number): number {
  if (Math.abs(x) > 9) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
    term *= (x * x) / odd;
    sum += term;
  }
  return Math.min(1, Math.max(0, 0.5 + normalDensity(x) * sum));
}

const gaussian: PlainNoise = { cumulative: normalCumulative, density: normalDensity };

const logistic: PlainNoise = {
  cumulative: (x) => 1 / (1 + Math.exp(-x)),
  density: (x) => {
    const decay = Math.exp(-Math.abs(x));
    return decay / (1 + decay) ** 2;
  },
};

export const plainNoises = { gaussian, logistic };

export type NoiseName = keyof typeof plainNoises;

/**
 * Nodes and weights such that Σ weight · f(node) is E[f(ε)] of a standard normal ε, for polynomials up to degree
 * 2 count − 1: the roots of the Hermite polynomial, each between two of the degree below.
 */
export function gaussHermite(count: number): { readonly nodes: number[]; readonly weights: number[] } {
  let nodes: number[] = [];
  for (let degree = 1; degree <= count; degree++) {
    const edge = 2 * Math.sqrt(degree) + 1;
    const fences = [-edge, ...nodes, edge];
    nodes = fences.slice(1).map((right, index) => rootBetween(degree, fences[index] as number, right));
  }
  // Of orthonormal polynomials, the weight of a node is 1 / (count · h²) with h that of degree count − 1.
  const weights = nodes.map((x) => 1 / (count * hermite(count - 1, x) ** 2));
  return { nodes, weights };
}

/** The orthonormal Hermite polynomial: √(n + 1) h₊ = x h − √n h₋. */
function hermite(degree: number, x: number): number {
  let before = 0;
  let value = 1;
  for (let n = 0; n < degree; n++) {
    [before, value] = [value, (x * value - Math.sqrt(n) * before) / Math.sqrt(n + 1)];
  }
  return value;
}

function rootBetween(degree: number, left: number, right: number): number {
  const sign = Math.sign(hermite(degree, left));
  let [low, high] = [left, right];
  while (true) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (Math.sign(hermite(degree, middle)) === sign) low = middle;
    else high = middle;
  }
}
