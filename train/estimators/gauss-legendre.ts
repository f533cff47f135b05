/** Nodes in (−1, 1) and weights such that Σ weight · f(node) is ∫ f for polynomials up to degree 2 count − 1. */
export function gaussLegendre(count: number): { readonly nodes: number[]; readonly weights: number[] } {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let index = 0; index < count; index++) {
    // Newton's method from a guess that is near the root it is for (Tricomi).
    let x = Math.cos((Math.PI * (index + 0.75)) / (count + 0.5));
    for (let round = 0; round < 8; round++) {
      const { value, slope } = legendre(count, x);
      x -= value / slope;
    }
    nodes.push(x);
    weights.push(2 / ((1 - x * x) * legendre(count, x).slope ** 2));
  }
  return { nodes, weights };
}

/** The Legendre polynomial of a degree and its derivative, by the recurrence of three terms. */
function legendre(degree: number, x: number): { readonly value: number; readonly slope: number } {
  let before = 0;
  let value = 1;
  for (let n = 1; n <= degree; n++) {
    [before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n];
  }
  return { value, slope: (degree * (x * value - before)) / (x * x - 1) };
}
