/** The same bits on every device: in Node and in a browser, on one thread and on two, on the CPU and in software WebGPU. */
import { dirname } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, openLab, runInPage } from '../bench/browser/lab.ts';
import { parityInputs, parityModels, parityNetwork } from '../bench/parity/networks.ts';
import { compareDevices, compareOutputs, type LoadOptions, load, type Output } from '../runtime/index.ts';
import { type Started, startChromium } from './support/chromium.ts';

const root = dirname(import.meta.dirname);

/** `npm run -s bench -- parity` takes more. */
const COUNT = 40;

const cases = Object.entries(parityModels).map(([name, model], index) => ({
  name,
  onnx: parityNetwork(model, index),
  inputs: parityInputs(model, COUNT, index),
}));

/** Runs in Node on cpu with all layers observed. */
async function reference(onnx: Uint8Array, inputs: Uint8Array): Promise<Record<string, Output>> {
  const described = await load(onnx);
  const observe = described.description.layers.flat();
  await described.close();
  const network = await load(onnx, { observe });
  const outputs = await network.run(inputs);
  await network.close();
  return outputs;
}

/** Every layer to the last bit, and all else but what each device rounds its own way, which is nearly the same. */
function expectSame(
  expected: Record<string, Output>,
  found: Record<string, Output>,
  rounded: readonly string[],
): void {
  const differences = compareOutputs(expected, found);
  expect(differences.filter(({ output }) => !rounded.includes(output))).toEqual([]);
  for (const { largest } of differences) expect(largest).toBeLessThan(1e-5);
}

describe('in Node', () => {
  it.each(cases)('$name: wasm and bits say what cpu says', async ({ onnx, inputs }) => {
    const { outputs, differences } = await compareDevices(onnx, inputs, ['cpu', 'wasm', 'bits']);
    expect(outputs.length).toBeGreaterThan(2);
    expect(differences.filter(({ output }) => output !== 'probabilities')).toEqual([]);
  });

  it('the networks neither fall silent nor fire always', async () => {
    for (const { name, onnx, inputs } of cases) {
      const { logits, probabilities, ...layers } = await reference(onnx, inputs);
      expect(new Set(logits?.data).size, name).toBeGreaterThan(20);
      expect(probabilities?.dims).toEqual([COUNT, 5]);
      for (const { data } of Object.values(layers)) expect(new Set(data).size).toBeGreaterThan(1);
    }
  });
});

describe('in Chromium', () => {
  let started: Started;
  let lab: Lab | undefined;

  beforeAll(async () => {
    started = await startChromium();
    if ('missing' in started) return;
    const files = Object.fromEntries(cases.map(({ name, onnx }) => [`/${name}.onnx`, onnx]));
    lab = await openLab(started.browser, root, files, { isolated: true });
  });

  beforeEach(({ skip }) => {
    if ('missing' in started) skip(started.missing);
  });

  afterAll(async () => {
    await lab?.close();
    if ('browser' in started) await started.browser.close();
  });

  /** The softmax has an exponential; a mean over time is a sum whose order a GPU chooses. */
  const devices: readonly { options: LoadOptions; names: readonly string[]; rounded: readonly string[] }[] = [
    { options: { device: 'wasm', threads: 1 }, names: Object.keys(parityModels), rounded: ['probabilities'] },
    { options: { device: 'wasm', threads: 2 }, names: Object.keys(parityModels), rounded: ['probabilities'] },
    { options: { device: 'bits' }, names: Object.keys(parityModels), rounded: ['probabilities'] },
    // In software it takes seconds for each network: two of them here, all in the bench.
    { options: { device: 'webgpu' }, names: ['dense', 'recurrent'], rounded: ['logits', 'probabilities'] },
  ];

  it.each(devices)(
    '$options.device, threads $options.threads: says what cpu in Node says',
    async ({ options, names, rounded }) => {
      const page = await lab!.open();
      for (const { name, onnx, inputs } of cases.filter(({ name }) => names.includes(name))) {
        const { outputs } = await runInPage(page, `/${name}.onnx`, inputs, options);
        expectSame(await reference(onnx, inputs), outputs, rounded);
      }
      await page.close();
      expect(names.length).toBeGreaterThan(1);
    },
  );
});
