import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { UserError } from '../../schemas/errors.ts';
import { onnx } from '../../schemas/onnx/generated/onnx.js';
import { type TensorData, tensorData } from '../../schemas/onnx/index.ts';
import { readTensor } from '../../schemas/onnx/proto/tensor.ts';

/** Where Debian's package libonnx-testdata puts ONNX's own test data. */
export const testdata = process.env['BITSPIKE_ONNX_TESTDATA'] ?? '/usr/share/libonnx-testdata/data';
export const hasTestdata = existsSync(testdata);

/** Every model of it, by its path there. */
export const testModels = (): string[] =>
  hasTestdata
    ? readdirSync(testdata, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.onnx'))
        .sort()
    : [];

/** A model, and what it has to answer. */
export interface Case {
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly TensorData[];
}

/** The case of a model of the folder `node`; undefined where its data are no tensors. */
export function caseOf(path: string): Case | undefined {
  const folder = join(testdata, dirname(path));
  const data = join(folder, 'test_data_set_0');
  if (!existsSync(data)) return undefined;
  const files = readdirSync(data);
  const tensors = (kind: string) =>
    Array.from({ length: files.filter((name) => name.startsWith(`${kind}_`)).length }, (_, index) =>
      tensorIn(readFileSync(join(data, `${kind}_${index}.pb`))),
    );
  try {
    const [inputs, outputs] = [tensors('input'), tensors('output')];
    return { name: dirname(path), model: readFileSync(join(testdata, path)), inputs, outputs };
  } catch {
    // A sequence or an optional value is no tensor message.
    return undefined;
  }
}

const tensorIn = (bytes: Uint8Array): TensorData =>
  tensorData(readTensor(onnx.TensorProto.decode(Uint8Array.from(bytes)), ['name']), 'test data');

/** What onnxruntime answers, or undefined where it does not take the model. */
export async function answersOfOnnxruntime(
  model: Uint8Array,
  inputs: readonly TensorData[],
): Promise<TensorData[] | undefined> {
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(model, { logSeverityLevel: 4, intraOpNumThreads: 1 });
    const feeds = Object.fromEntries(
      session.inputNames.slice(0, inputs.length).map((name, index) => {
        const { type, dims, data } = inputs[index] as TensorData;
        const made =
          type === 'string'
            ? new Tensor('string', [...data], [...dims])
            : new Tensor(type as 'float32', data as Float32Array, [...dims]);
        return [name, made];
      }),
    );
    const found = await session.run(feeds);
    return session.outputNames.map((name) => {
      const { type, dims, data } = found[name] as Tensor;
      return { type, dims, data } as unknown as TensorData;
    });
  } catch {
    return undefined;
  } finally {
    await session?.release();
  }
}

/** Whether an answer is the expected one, within what ONNX's own suite allows. */
export function isClose(found: TensorData | undefined, expected: TensorData): boolean {
  if (!found || found.type !== expected.type || found.dims.join() !== expected.dims.join()) return false;
  const { length } = expected.data;
  if (found.data.length !== length) return false;
  for (let index = 0; index < length; index++) {
    const [a, b] = [found.data[index], expected.data[index]];
    if (a === b) continue;
    const [x, y] = [numberOf(found.type, a), numberOf(expected.type, b)];
    if (Number.isNaN(x) && Number.isNaN(y)) continue;
    if (!(Math.abs(x - y) <= 1e-7 + 1e-3 * Math.abs(y))) return false;
  }
  return true;
}

function numberOf(type: string, value: unknown): number {
  if (type !== 'float16') return Number(value);
  const bits = value as number;
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** Whether an error is one line for a user. */
export const isOneLine = (error: unknown): boolean =>
  error instanceof UserError && !error.message.includes('\n');
