import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-node';
import type { HostTensor, HostTensors, Runner } from '../runner.ts';

/** What all packages of onnxruntime have, under the same names. */
export interface Onnxruntime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: typeof Tensor;
}

/**
 * A session of onnxruntime as a runner.
 *
 * @param notes what its user should know
 * @param turns where runs have to wait for each other
 */
export function sessionRunner(
  session: InferenceSession,
  { Tensor }: Onnxruntime,
  { notes = [], turns }: { readonly notes?: readonly string[]; readonly turns?: Turns } = {},
): Runner {
  const toTensor = tensorMaker(Tensor);
  const run = (feeds: HostTensors, outputs: readonly string[]): Promise<HostTensors> => {
    const given: Record<string, Tensor> = {};
    for (const name in feeds) given[name] = toTensor(feeds[name] as HostTensor);
    return session.run(given, outputs) as Promise<Record<string, Tensor & HostTensor>>;
  };
  return {
    outputs: session.outputNames,
    notes,
    run: turns ? (feeds, outputs) => turns.take(() => run(feeds, outputs)) : run,
    release: () => (turns ? turns.take(() => session.release()) : session.release()),
  };
}

/** A tensor that is fed again and again, or was an output before, is made once. */
function tensorMaker(Tensor: Onnxruntime['Tensor']): (host: HostTensor) => Tensor {
  const made = new WeakMap<HostTensor, Tensor>();
  return (host) => {
    if (host instanceof Tensor) return host;
    let tensor = made.get(host);
    if (!tensor) {
      tensor = new (Tensor as TensorConstructor)(host.type, host.data, host.dims);
      made.set(host, tensor);
    }
    return tensor;
  };
}

/** Tasks one after the other, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(task: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(task);
    // Who waits for that task hears of its failure; the next one does not.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
