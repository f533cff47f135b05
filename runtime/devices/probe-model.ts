import { reasonOf } from '../../schemas/errors.ts';
import { defineOnnxModel, Graph, writeModel } from '../../schemas/onnx/index.ts';
import type { Availability, DeviceModule, Runner } from '../runner.ts';
import { Unavailable } from './unavailable.ts';

/** The least model there is: y = |x|. */
export function probeModel(): Uint8Array {
  const graph = new Graph('probe');
  const x = graph.input('x', 'float32', [1]);
  graph.output(graph.node('Abs', [x], {}, { output: 'y' }), 'float32', [1]);
  return writeModel(defineOnnxModel(graph));
}

/** Whether a device opens the least model and runs it. */
export async function availableAfter(
  open: DeviceModule['open'],
  { detail, remedy }: { readonly detail: () => Promise<string>; readonly remedy: string },
): Promise<Availability> {
  let runner: Runner | undefined;
  try {
    runner = await open(probeModel(), {}, 'probe');
    const { y } = await runner.run({ x: { type: 'float32', dims: [1], data: Float32Array.of(-2) } }, ['y']);
    if (y?.data[0] !== 2) throw new Error('it computes |−2| wrongly');
    return { available: true, detail: await detail() };
  } catch (error) {
    return error instanceof Unavailable
      ? { available: false, why: error.why, remedy: error.remedy }
      : { available: false, why: reasonOf(error), remedy };
  } finally {
    await runner?.release();
  }
}
