/** The 1-bit engine in a browser says what it says in Node, to the last bit. */
import { dirname } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, openLab, runInPage } from '../bench/browser/lab.ts';
import { parityInputs, parityModels, parityNetwork } from '../bench/parity/networks.ts';
import { compareOutputs, load } from '../runtime/index.ts';
import { type Started, startChromium } from './support/chromium.ts';

const root = dirname(import.meta.dirname);

const cases = Object.entries(parityModels).map(([name, model], index) => ({
  name,
  onnx: parityNetwork(model, index),
  inputs: parityInputs(model, 20, index),
}));

describe('in Chromium', () => {
  let started: Started;
  let lab: Lab | undefined;

  beforeAll(async () => {
    started = await startChromium();
    if ('missing' in started) return;
    const files = Object.fromEntries(cases.map(({ name, onnx }) => [`/${name}.onnx`, onnx]));
    lab = await openLab(started.browser, root, files);
  });

  beforeEach(({ skip }) => {
    if ('missing' in started) skip(started.missing);
  });

  afterAll(async () => {
    await lab?.close();
    if ('browser' in started) await started.browser.close();
  });

  it('every layer of every kind of network has the bits of Node', async () => {
    const page = await lab!.open();
    for (const { name, onnx, inputs } of cases) {
      const described = await load(onnx, { device: 'bits' });
      const network = await load(onnx, { device: 'bits', observe: described.description.layers.flat() });
      const expected = await network.run(inputs);
      const { outputs } = await runInPage(page, `/${name}.onnx`, inputs, { device: 'bits' });
      expect(Object.keys(outputs).toSorted(), name).toEqual(Object.keys(expected).toSorted());
      // Only the exponential of the softmax may round in another way.
      const differences = compareOutputs(expected, outputs);
      expect(differences.filter(({ output }) => output !== 'probabilities')).toEqual([]);
      for (const { largest } of differences) expect(largest).toBeLessThan(1e-6);
      await Promise.all([described.close(), network.close()]);
    }
    await page.close();
  });
});
