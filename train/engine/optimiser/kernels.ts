import type { OptimiserKind, OptimiserOptions, OptimiserOptionsOf } from '../../optimisers/index.ts';
import { wasm as adamWasm } from './generated/adam.ts';
import { wasm as clipWasm } from './generated/clip.ts';
import { wasm as sgdWasm } from './generated/sgd.ts';

/**
 * Moves a run of numbers by their gradients.
 *
 * @param at where each part of the run begins: `value`, `gradient`, and what the optimiser keeps; in bytes
 * @param count numbers in the run, a multiple of four
 * @param rate learning rate × rateFactor
 * @param scalar the optimiser's own scalars of the step, by name
 */
export type Move = (
  at: (part: string) => number,
  count: number,
  rate: number,
  scalar: (name: string) => number,
) => void;

type AdamKernel = (
  value: number,
  first: number,
  second: number,
  gradient: number,
  count: number,
  beta1: number,
  beta2: number,
  rate: number,
  epsilon: number,
) => void;

type SgdKernel = (
  value: number,
  velocity: number,
  gradient: number,
  count: number,
  momentum: number,
  ofGradient: number,
  ofVelocity: number,
  rate: number,
) => void;

type Bind<Kind extends OptimiserKind> = (
  memory: WebAssembly.Memory,
  options: OptimiserOptionsOf<Kind>,
) => Move;

const kernels: { readonly [Kind in OptimiserKind]: Bind<Kind> } = {
  adam(memory, { beta1, beta2 }) {
    const kernel = exportOf<AdamKernel>(adamWasm, 'adam', memory);
    return (at, count, rate, scalar) =>
      kernel(
        at('value'),
        at('adam.first'),
        at('adam.second'),
        at('gradient'),
        count,
        beta1,
        beta2,
        rate,
        scalar('adam.epsilon'),
      );
  },
  sgd(memory, { momentum, nesterov }) {
    const kernel = exportOf<SgdKernel>(sgdWasm, 'sgd', memory);
    const [ofGradient, ofVelocity] = nesterov ? [1, momentum] : [0, 1];
    return (at, count, rate) =>
      kernel(at('value'), at('sgd.velocity'), at('gradient'), count, momentum, ofGradient, ofVelocity, rate);
  },
};

/** The optimiser's kernel on a memory. */
export function moveKernel(memory: WebAssembly.Memory, options: OptimiserOptions): Move {
  const bind: (memory: WebAssembly.Memory, options: never) => Move = kernels[options.kind];
  return bind(memory, options as never);
}

/** Scales numbers down to a length if they are longer, all as one vector; returns the length they had. */
export type Clip = (start: number, count: number, limit: number) => number;

export const clipKernel = (memory: WebAssembly.Memory): Clip => exportOf(clipWasm, 'clip', memory);

function exportOf<Kernel>(wasm: string, name: string, memory: WebAssembly.Memory): Kernel {
  const module = new WebAssembly.Module(Buffer.from(wasm, 'base64'));
  return new WebAssembly.Instance(module, { env: { memory } }).exports[name] as Kernel;
}
