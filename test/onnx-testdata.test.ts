import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Reference, numbersOf } from '../export/reference/index.ts';
import { onnx } from '../schemas/onnx/generated/onnx.js';
import { readModel, type TensorData, writeModel } from '../schemas/onnx/index.ts';
import {
  answersOfOnnxruntime,
  type Case,
  caseOf,
  hasTestdata,
  isClose,
  isOneLine,
  testdata,
  testModels,
} from './support/onnx-testdata.ts';

/** The message as the encoder writes it, whatever the order of fields was. */
const canonical = (bytes: Uint8Array): Uint8Array =>
  onnx.ModelProto.encode(onnx.ModelProto.decode(bytes)).finish();

/** What the reference answers. @throws UserError where it does not know an operator or a type */
function answersOfReference({ name, model, inputs }: Case): TensorData[] {
  const { graph, ...rest } = readModel(model, name);
  const names = graph.inputs.map((input) => input.name).filter((input) => input !== '');
  const feeds = Object.fromEntries(
    inputs.map((tensor, index) => [names[index] as string, numbersOf(tensor, 'input')]),
  );
  const outputs = graph.outputs.map((output) => output.name);
  const found = new Reference({ graph, ...rest }).run(feeds, outputs);
  return outputs.map((output) => {
    const { type, dims, data } = found[output]!;
    const whole = type === 'int64' ? BigInt64Array.from(Array.from(data), BigInt) : data;
    return { type, dims, data: whole } as TensorData;
  });
}

const agrees = (found: readonly TensorData[] | undefined, { outputs }: Case): boolean =>
  found !== undefined && outputs.every((output, index) => isClose(found[index], output));

describe.skipIf(!hasTestdata)(`ONNX's own test data (apt-get install libonnx-testdata)`, () => {
  test('every model is read and written without the loss of a byte', () => {
    const paths = testModels();
    const changed = paths.filter((path) => {
      const bytes = readFileSync(join(testdata, path));
      const written = writeModel(readModel(bytes, path));
      expect(Buffer.compare(canonical(written), canonical(bytes)), path).toBe(0);
      return Buffer.compare(written, bytes) !== 0;
    });
    console.log(
      `${paths.length} models read and written, ${paths.length - changed.length} of them byte by byte`,
    );
    expect(paths.length).toBeGreaterThan(1000);
    expect(changed).toEqual([]);
  });

  test('what onnxruntime answers to an original it answers to what we write, and the reference with it', async () => {
    const counts = { cases: 0, passed: 0, ours: 0, reference: 0, unknown: 0 };
    const lost: string[] = [];
    for (const path of testModels().filter((each) => each.startsWith('node/'))) {
      const found = caseOf(path);
      if (!found) continue;
      counts.cases++;
      if (!agrees(await answersOfOnnxruntime(found.model, found.inputs), found)) continue;
      counts.passed++;
      const written = writeModel(readModel(found.model, path));
      if (agrees(await answersOfOnnxruntime(written, found.inputs), found)) counts.ours++;
      else lost.push(path);
      try {
        if (agrees(answersOfReference(found), found)) counts.reference++;
        else lost.push(`${path} by the reference`);
      } catch (error) {
        if (!isOneLine(error)) throw error;
        counts.unknown++;
      }
    }
    console.log(
      `${counts.cases} node cases with tensors: onnxruntime passes ${counts.passed} of the originals and ${counts.ours} of these as we write them; ` +
        `the reference passes ${counts.reference} of them and does not know the operators of ${counts.unknown}`,
    );
    expect(lost).toEqual([]);
    expect(counts.ours).toBe(counts.passed);
    expect(counts.passed).toBeGreaterThan(800);
    expect(counts.reference).toBeGreaterThan(400);
  });
});
