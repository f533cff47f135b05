/** onnxruntime-node as those use it who want nothing but speed: `session.run` itself, on one thread. */
import { type InferenceSession, onnxruntime, openSession, type Tensor } from '../../runtime/session.ts';
import type { Contender } from '../harness.ts';
import type { Case } from './cases.ts';
import { bytesOf, feedingOf } from './feeds.ts';
import { timed } from './timed.ts';

type Tensors = Record<string, Tensor>;
type Carried = readonly { readonly input: string; readonly output: string }[];

/** How the steps of a stream are called, from the tensors that the first one is fed. */
const ways = {
  /** What comes out is fed again. */
  'ort-node-bare': (session: InferenceSession, first: Tensors, carried: Carried) => {
    const held = { ...first };
    const outputs = ['logits', ...carried.map(({ output }) => output)];
    return async () => {
      const found = await session.run(held, outputs);
      for (const { input, output } of carried) held[input] = found[output] as Tensor;
    };
  },
  /** Every tensor stays. States change places between two sets: none is fed and written in one call. */
  'ort-node-preallocated': async (session: InferenceSession, first: Tensors, carried: Carried) => {
    const found = await session.run(first, ['logits', ...carried.map(({ output }) => output)]);
    const { logits } = found as { logits: Tensor };
    const second = { ...first };
    for (const { input, output } of carried) second[input] = found[output] as Tensor;
    const into = (tensors: Tensors): Tensors => ({
      logits,
      ...Object.fromEntries(carried.map(({ input, output }) => [output, tensors[input] as Tensor])),
    });
    const turns = [
      [first, into(second)],
      [second, into(first)],
    ] as const;
    let turn = 0;
    return () => {
      const [feeds, fetches] = turns[turn] as (typeof turns)[0];
      turn = 1 - turn;
      return session.run(feeds, fetches);
    };
  },
} as const;

export type BareName = keyof typeof ways;

/** Steps of a stream. */
export function bareContender(name: BareName, given: Case): Contender {
  let session: InferenceSession | undefined;
  let call: (() => Promise<unknown>) | undefined;
  return {
    name,
    async prepare() {
      const { Tensor } = await onnxruntime();
      const bytes = bytesOf(given, true, 'any');
      session = await openSession(bytes, { threads: 1 });
      const { feeds, carried } = feedingOf(given, true, bytes);
      const first: Tensors = {};
      for (const [input, { type, data, dims }] of Object.entries(feeds))
        first[input] = new Tensor(type as 'float32', data.slice() as Float32Array, dims);
      call = await ways[name](session, first, carried);
    },
    steps: (count) => timed(count, 100, () => call?.()),
    close: async () => session?.release(),
  };
}
