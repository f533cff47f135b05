import { readdir, readFile, writeFile } from 'node:fs/promises';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { dataNameFor, writeOnnx } from '../cli/write-onnx.ts';
import { filesOf, oneFileOf } from '../export/onnx-files.ts';
import { reportOnnx, toNoisyOnnxFiles, toOnnx, toOnnxFiles } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { learnedShapes } from '../schemas/posterior.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const { path } = freshFolder();
const model = denseModel({ type: 'uint8', shape: [120], scale: 1 / 255 }, [100, 5]);
const network = randomNetwork(model, 1);
const inputs = randomBytes(3 * 120, 2);
const beside = (threshold?: number) => ({ nameOf: dataNameFor(path('net.onnx')), threshold });

const logitsOf = async (session: InferenceSession) =>
  (await session.run({ input: new Tensor('uint8', inputs, [3, 120]) })).logits!.data;

describe('tensors beside the .onnx', () => {
  test('give the same answers in onnxruntime, in onnxruntime-web and in the toolkit', async () => {
    const expected = await logitsOf(await InferenceSession.create(toOnnx(network)));
    const files = toOnnxFiles(network, {}, beside(100));
    await writeOnnx(path('net.onnx'), files);
    expect(await logitsOf(await InferenceSession.create(path('net.onnx')))).toEqual(expected);

    const web = await import('onnxruntime-web/wasm');
    web.env.wasm.numThreads = 1;
    const { name } = files.data!;
    const session = await web.InferenceSession.create(await readFile(path('net.onnx')), {
      externalData: [{ path: name, data: await readFile(path(name)) }],
    });
    const found = await session.run({ input: new web.Tensor('uint8', inputs, [3, 120]) });
    expect(found.logits!.data).toEqual(expected);
    const loaded = await load(path('net.onnx'));
    expect((await loaded.run(inputs)).logits!.data).toEqual(expected);
    await loaded.close();
  });

  test('are those from the threshold on, at whole pages, and counted', async () => {
    const { model: bytes, data } = toOnnxFiles(network, {}, beside(100));
    const outside = [...readModel(bytes).graph.initializers].flatMap(([name, tensor]) => {
      const external = 'stored' in tensor ? tensor.stored.external : undefined;
      return external ? [[name, Object.fromEntries(external)] as const] : [];
    });
    expect(outside.map(([name]) => name).sort()).toEqual(['0.dense.offset', '0.dense.weight', 'signs.int8']);
    for (const [, { location, offset }] of outside) {
      expect(location).toMatch(/^net\.onnx\.[0-9a-f]{8}\.data$/);
      expect(Number(offset) % 4096).toBe(0);
    }
    const size = data!.parts.reduce((sum, part) => sum + part.length, 0);
    expect(size).toBeGreaterThan(2048 + 1500 + 400);
    const alone = reportOnnx(toOnnx(network), 'file');
    const found = reportOnnx(bytes, 'file');
    expect(found.bytes.packedWeights).toBe(alone.bytes.packedWeights);
    expect(found.bytes.file).toBe(bytes.length + 1500 + 400 + 2048);
  });

  test('are there by themselves where one file would not hold all', async () => {
    const wide = randomNetwork(denseModel({ type: 'uint8', shape: [1024], scale: 1 }, [600, 5]), 1);
    expect(toOnnxFiles(wide, {}, beside()).data).toBeUndefined();
    const whole = readModel(toOnnx(wide));
    expect(filesOf(whole, beside(), 90_000).data).toBeUndefined();
    const { model: bytes, data } = filesOf(whole, beside(), 80_000);
    expect(data!.parts.map((part) => part.length)).toEqual([(1024 * 600) / 8]);
    expect(bytes.length).toBeLessThan(20_000);
    expect(await lineOf(() => oneFileOf(whole, 80_000))).toContain('toOnnxFiles');
  });

  test('of a network with noise inputs', async () => {
    const learned = Object.fromEntries(
      Object.entries(learnedShapes(model)).map(([name, shape]) => [
        name,
        { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.3) },
      ]),
    );
    const posterior = { family: 'bernoulli', model, learned, classNames: [...'abcde'] } as const;
    const files = toNoisyOnnxFiles(posterior, {}, { nameOf: dataNameFor(path('net.onnx')), threshold: 1024 });
    await writeOnnx(path('net.onnx'), files);
    await InferenceSession.create(path('net.onnx'));
    expect(files.model.length).toBeLessThan(10_000);
  });
});

test('a network takes the place of another with its data, and of nothing else', async () => {
  await writeFile(path('net.onnx.notes.data'), 'mine');
  await writeOnnx(path('net.onnx'), toOnnxFiles(network, {}, beside(100)));
  const other = toOnnxFiles(randomNetwork(model, 2), {}, beside(100));
  await writeOnnx(path('net.onnx'), other);
  expect((await readdir(path())).sort()).toEqual(
    ['net.onnx', 'net.onnx.notes.data', other.data!.name].sort(),
  );
  await writeOnnx(path('net.onnx'), { model: toOnnx(network) });
  expect((await readdir(path())).sort()).toEqual(['net.onnx', 'net.onnx.notes.data']);
});

test('where the .onnx cannot be written, nothing half-written is left', async () => {
  const files = toOnnxFiles(network, {}, beside(100));
  expect(await lineOf(() => writeOnnx(path('nowhere/net.onnx'), files))).toContain('cannot be written');
  expect(await readdir(path())).toEqual([]);
});
