import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { defineEstimator, ratioSpike, sample } from './estimator.ts';
import { gaussLegendre } from './gauss-legendre.ts';

/**
 * Analytical Gumbel-Rao: straight-through Gumbel-softmax with its noise averaged out given the spike (Paulus,
 * Maddison and Krause, 2021, who average over samples). Forward the hard sample z; backward, with a = u/σ,
 * logistic noise L, and s the logistic function,
 *
 *     dz/da = E[ s'((a + L)/τ)/τ | z ].
 *
 * In units of y = (a + L)/τ, whose density is τ s'(τy − a), a spike is y > 0. With b = a for a spike and −a for
 * none, because s' is even, and P(z) = s(b),
 *
 *     dz/da = 1/s(b) · ∫₀^∞ s'(y) s'(τy − b) dy = (1 + k) ∫₀^∞ s'(y) w/(1 + k w)² dy,   k = eᵇ, w = e^(−τy).
 *
 * v = s(y) turns it into an integral over ½ < v < 1, elementary for τ = 1; but that form is a difference of large
 * numbers near b = 0. Instead the integral is a sum over nodes y: all of its terms are positive, it holds for
 * every τ, and no term needs a transcendental function. As τ → 0, w → 1 and what is left is ½ s'(a)/P(z): the
 * trapezoid rule.
 */
export const analyticalGumbelRao = defineEstimator(
  'analyticalGumbelRao',
  {
    temperature: z.number().positive().max(5).default(1).meta({ description: 'Above 0, and at most 5.' }),
  },
  ({ temperature }) => {
    const terms = quadrature(temperature);
    return {
      noise: 'logistic',
      spike: ratioSpike({
        value: sample,
        slope: (ratio, _noise, spikes) => {
          const b = tf.mul(ratio, tf.sub(tf.mul(spikes, 2), 1));
          const k = tf.exp(tf.minimum(b, LARGEST));
          const sum = terms
            .map(({ p, q }) => tf.div(1, tf.square(tf.add(tf.mul(k, q), p))))
            .reduce((total, term) => tf.add(total, term));
          return tf.mul(tf.add(k, 1), sum);
        },
      }),
    };
  },
);

/** eᵇ and its square stay finite in float32 up to here. */
const LARGEST = 40;

/** Where the pieces of the integral meet, in units of x = y max(τ, 1). */
const EDGES = [0, 7, 15, 30];
const NODES_PER_PIECE = 14;

/** Terms that are smaller whatever b is are left out. */
const SMALLEST_WEIGHT = 1e-9;

interface Term {
  readonly p: number;
  readonly q: number;
}

/**
 * The integral as Σ 1/(p + q k)²: a node of weight c gives c w/(1 + k w)², so p = 1/√(c w) and q = w p.
 *
 * Gauss–Legendre converges as fast as the integrand's poles are far. Those of s'(y) are at ±iπ and those of
 * s'(τy − b) at (b ± iπ)/τ, so that in x = y max(τ, 1) neither are nearer than π. The error is below 1e-6 of the
 * result where P(z) ≥ 1e-6 (|b| ≤ 14), for every τ ≤ 5; test/estimator.test.ts measures it.
 */
function quadrature(tau: number): Term[] {
  const scale = Math.max(tau, 1);
  const { nodes, weights } = gaussLegendre(NODES_PER_PIECE);
  return EDGES.slice(1).flatMap((end, piece) => {
    const begin = EDGES[piece] as number;
    const half = (end - begin) / 2;
    return nodes.flatMap((node, index) => {
      const y = (begin + half * (1 + node)) / scale;
      const decay = Math.exp(-y);
      const c = (((weights[index] as number) * half) / scale) * (decay / (1 + decay) ** 2);
      const w = Math.exp(-tau * y);
      const p = 1 / Math.sqrt(c * w);
      return c < SMALLEST_WEIGHT ? [] : [{ p, q: w * p }];
    });
  });
}
