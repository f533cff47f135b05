import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runOracle, toOnnx } from '../export/index.ts';
import { type LoadedNetwork, load } from '../runtime/index.ts';
import { UserError } from '../schemas/index.ts';
import { defineOnnxModel, Graph, readModel, writeModel } from '../schemas/onnx/index.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const model = denseModel({ type: 'uint8', shape: [12], scale: 1 / 255 }, [9, 3]);
const network = randomNetwork(model, 1);
const bytes = toOnnx(network);

describe.each(['cpu', 'wasm', 'bits'] as const)('on %s', (device) => {
  let folder = '';
  let loaded: LoadedNetwork;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bitspike-runtime-'));
    loaded = await load(bytes, { device });
  });

  afterAll(async () => {
    await loaded.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe('classify', () => {
    it('gives the most probable class with its name and probability', async () => {
      const inputs = randomBytes(12 * 40, 2);
      const { logits } = runOracle(network, network.members[0]!, inputs);
      const answers = await loaded.classify(inputs);
      expect(answers).toHaveLength(40);
      answers.forEach(({ label, className, probability, probabilities }, row) => {
        const own = [...logits.subarray(row * 3, row * 3 + 3)];
        expect(label).toBe(own.indexOf(Math.max(...own)));
        expect(className).toBe(`class ${label}`);
        expect(probability).toBe(probabilities[label]);
        expect(probabilities.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 5);
      });
    });

    it('takes one example, many in one array, and an array of examples alike', async () => {
      const inputs = randomBytes(12 * 3, 3);
      const parts = [0, 1, 2].map((row) => inputs.slice(row * 12, row * 12 + 12));
      const together = await loaded.classify(inputs);
      expect(await loaded.classify(parts)).toEqual(together);
      expect(await loaded.classify(parts[1]!)).toEqual([together[1]]);
    });

    it('has the same answers across the borders of its batches', async () => {
      const inputs = randomBytes(12 * 2500, 4);
      const all = await loaded.classify(inputs);
      expect(all).toHaveLength(2500);
      const late = await loaded.classify(inputs.slice(12 * 2040, 12 * 2060));
      expect(all.slice(2040, 2060)).toEqual(late);
    });

    it('answers nothing to no examples', async () => {
      expect(await loaded.classify([])).toEqual([]);
    });

    it.each([
      [
        'numbers of another type',
        new Float32Array(12),
        /takes uint8, give a Uint8Array \(array 0 is a Float32Array\)/,
      ],
      ['half an example', new Uint8Array(18), /an example is \[12\] = 12 numbers; array 0 holds 18/],
      ['two examples in one of many arrays', [new Uint8Array(12), new Uint8Array(24)], /array 1 holds 24/],
      ['something else', [[1, 2]], /array 0 is a Array/],
    ])('refuses %s in one line', async (_what, inputs, message) => {
      await expect(loaded.classify(inputs as never)).rejects.toThrow(message);
      await expect(loaded.classify(inputs as never)).rejects.toBeInstanceOf(UserError);
    });
  });

  describe('load', () => {
    it('reads a file by its path', async () => {
      const path = join(folder, 'network.onnx');
      await writeFile(path, bytes);
      const fromFile = await load(path, { device, threads: 1 });
      expect(await fromFile.classify(randomBytes(12, 5))).toEqual(await loaded.classify(randomBytes(12, 5)));
      expect(fromFile.description).toMatchObject({
        model: { input: { type: 'uint8', shape: [12] } },
        layers: [['1.binary']],
      });
    });

    it('says in one line that there is no such file, device or layer', async () => {
      await expect(load(join(folder, 'none.onnx'), { device })).rejects.toThrow(
        /none\.onnx: cannot read the model/,
      );
      await expect(load(bytes, { device: 'abacus' as never })).rejects.toThrow(
        /no device 'abacus'; expected one of cpu/,
      );
      await expect(load(bytes, { device, observe: ['7.binary'] })).rejects.toThrow(
        /no layer '7.binary' to observe/,
      );
    });

    it('says in one line that a file is not a model of ours', async () => {
      const graph = new Graph('other');
      graph.output(graph.node('Identity', [graph.input('x', 'float32', [1])]), 'float32', [1]);
      await expect(load(writeModel(defineOnnxModel(graph)), { device })).rejects.toThrow(
        /not a bitspike model/,
      );
      await expect(load(bytes.slice(0, bytes.length - 40), { device })).rejects.toBeInstanceOf(UserError);
      await expect(load(new TextEncoder().encode('no model at all'), { device })).rejects.toBeInstanceOf(
        UserError,
      );
    });

    it('says in one line that metadata are damaged', async () => {
      const read = readModel(bytes);
      const metadata = new Map([...read.metadata, ['bitspike.classes', '[']]);
      await expect(load(writeModel({ ...read, metadata }), { device })).rejects.toThrow(
        /model: metadata: bitspike\.classes: is not sound JSON/,
      );
    });
  });
});
