import * as tf from '@tensorflow/tfjs-core';
import { isConstant } from '../constants.ts';
import { kernels } from './kernels/index.ts';
import type { Tracing } from './kernels/kernel.ts';
import { type Recorder } from './recorder.ts';
import { type Content, splat, type Traced, type TracedType } from './traced.ts';

const NAME = 'bitspike-trace';

interface Entry {
  readonly content: Content;
  references: number;
}

/**
 * A tfjs backend whose kernels record ONNX nodes instead of computing.
 *
 * Gradients and optimiser updates are compositions of kernels, so they are recorded like everything else.
 */
class TracingBackend extends tf.KernelBackend {
  /** Where kernels write; set while a function is traced. */
  recorder: Recorder | undefined;
  readonly #entries: tf.DataStorage<Entry>;

  constructor() {
    super();
    this.#entries = new tf.DataStorage(this, tf.engine());
  }

  override numDataIds = (): number => this.#entries.numDataIds();
  override floatPrecision = (): 32 => 32;
  override epsilon = (): number => 1e-7;
  override dispose = (): void => {};

  override refCount = (id: tf.DataId): number =>
    this.#entries.has(id) ? this.#entries.get(id).references : 0;

  override incRef(id: tf.DataId): void {
    this.#entries.get(id).references++;
  }

  override disposeData(id: tf.DataId, force = false): boolean {
    if (!this.#entries.has(id)) return true;
    const entry = this.#entries.get(id);
    entry.references--;
    if (entry.references > 0 && !force) return false;
    this.#entries.delete(id);
    return true;
  }

  /** tfjs made a tensor from numbers of JavaScript. */
  override write(values: tf.BackendValues, shape: number[], type: tf.DataType): tf.DataId {
    if (this.recorder && isConstant(values as Float32Array)) {
      return this.put(this.recorder.tensor(values as Float32Array, shape)).dataId;
    }
    const [first = 0] = values as Float32Array;
    if ((values as Float32Array).some((value) => value !== first)) {
      throw new Error(
        `a tensor of ${values.length} different numbers was made inside a traced step (a random operation of tfjs, or a ` +
          'tensor from JavaScript): it would be the same in every step; feed it to the step instead',
      );
    }
    return this.put(splat(Number(first), shape, type as TracedType)).dataId;
  }

  override readSync(): never {
    throw new Error(
      'the value of a tensor was read inside a traced step: it has none before the step runs; report it instead',
    );
  }

  override read(): Promise<never> {
    return Promise.reject(
      new Error('the value of a tensor was read inside a traced step; report it instead'),
    );
  }

  put({ content, shape, type }: Traced): tf.TensorInfo {
    const dataId = {};
    this.#entries.set(dataId, { content, references: 1 });
    return { dataId, shape: [...shape], dtype: type };
  }

  traced({ dataId, shape, dtype }: tf.TensorInfo): Traced {
    return { content: this.#entries.get(dataId).content, shape, type: dtype as TracedType };
  }
}

let backend: TracingBackend | undefined;

/** Registers the backend and its kernels with tfjs, once. */
function tracingBackend(): TracingBackend {
  if (backend) return backend;
  const created = new TracingBackend();
  tf.registerBackend(NAME, () => created, 0);
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    tf.registerKernel({
      kernelName,
      backendName: NAME,
      kernelFunc: ({ inputs, attrs }) => {
        if (!created.recorder) throw new Error('the tracing backend is only used by traceFunction');
        const operands: Record<string, Traced> = {};
        for (const [name, info] of Object.entries(inputs)) {
          if (info) operands[name] = created.traced(info);
        }
        const results = kernel(created.recorder, operands, attrs ?? {}, tracingOf(created));
        return Array.isArray(results) ? results.map((result) => created.put(result)) : created.put(results);
      },
    });
  }
  backend = created;
  return created;
}

/** The doors between tensors of tfjs and values of a graph while a function is traced. */
export type TraceDoors = Tracing;

const tracingOf = (tracing: TracingBackend): Tracing => ({
  tensor: (traced) => tf.engine().makeTensorFromTensorInfo(tracing.put(traced)),
  traced: (tensor) => tracing.traced(tensor),
  within(recorder, run) {
    const outer = tracing.recorder;
    tracing.recorder = recorder;
    try {
      const results: ReturnType<typeof run>[] = [];
      tf.tidy(() => {
        results.push(run());
      });
      return results[0] as ReturnType<typeof run>;
    } finally {
      tracing.recorder = outer;
    }
  },
});

/**
 * Runs a function of tfjs operations so that they are recorded, and puts the backend that was there back.
 *
 * Throws when the function uses a kernel that has no ONNX meaning in the table, naming it.
 */
export async function recordWith(recorder: Recorder, run: (doors: TraceDoors) => void): Promise<void> {
  const tracing = tracingBackend();
  if (tracing.recorder) throw new Error('a function is being traced already');
  const previous = tf.engine().backendName;
  // Before anything is waited for, so that a second trace finds the first.
  tracing.recorder = recorder;
  try {
    await tf.setBackend(NAME);
    tf.tidy(() => run(tracingOf(tracing)));
  } catch (cause) {
    throw namingKernel(cause);
  } finally {
    tracing.recorder = undefined;
    if (previous) await tf.setBackend(previous);
  }
}

/** tfjs says that a kernel is not registered for a backend; the reader of that error needs to know what to do. */
function namingKernel(cause: unknown): unknown {
  const kernel = cause instanceof Error && /Kernel '(\w+)' not registered/.exec(cause.message)?.[1];
  if (!kernel) return cause;
  return new Error(
    `the traced step uses the tfjs kernel '${kernel}', which has no ONNX meaning here; write the step without it, ` +
      `use engine 'tfjs', or add it to train/engine/trace/kernels`,
    { cause },
  );
}
