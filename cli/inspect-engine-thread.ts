/** The thread that opens a file on the 1-bit engine: started by `engineMemoryOf`, which ends it in time. */
import { parentPort, workerData } from 'node:worker_threads';
import { openBits } from '../runtime/bits/runner.ts';
import type { HostTensor } from '../runtime/runner.ts';
import { reasonOf } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { readModel, type ValueInfo } from '../schemas/onnx/index.ts';
import type { EngineOrder, EngineReport } from './inspect-engine.ts';

const { bytes, file, steps } = workerData as EngineOrder;

/** Zeros of one example, at all its steps. */
function zeros({ type, dims = [] }: ValueInfo): HostTensor {
  const sizes = dims.map((size) => (typeof size === 'number' ? size : size === 'time' ? steps : 1));
  const data = new (type === 'uint8' ? Uint8Array : Float32Array)(sizeOf(sizes));
  return { type: type === 'uint8' ? type : 'float32', dims: sizes, data };
}

async function measured(): Promise<EngineReport> {
  try {
    const runner = await openBits(bytes, {}, file);
    const { inputs } = readModel(bytes, file).graph;
    runner.runNow(Object.fromEntries(inputs.map((input) => [input.name, zeros(input)])), runner.outputs);
    return runner.memory();
  } catch (error) {
    const reason = reasonOf(error);
    return { refused: reason.startsWith(`${file}: `) ? reason.slice(file.length + 2) : reason };
  }
}

const report = await measured();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort!.postMessage(report);
