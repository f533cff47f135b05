import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runProgram } from '../cli/program.ts';
import {
  type CertifiedDevice,
  certify,
  checkCertificate,
  type DeviceRunner,
} from '../export/certificate/index.ts';
import { type Network, toOnnx } from '../export/index.ts';
import { presentDevices } from '../runtime/present.ts';
import { type Certificate, certificateJsonSchema, parseCertificate } from '../schemas/certificate.ts';
import {
  binary,
  conv2d,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  type InputSpec,
  lif,
  maxPool,
  readout,
  recurrent,
  residual,
} from '../schemas/index.ts';
import { readModel, writeModel } from '../schemas/onnx/index.ts';
import { version } from '../schemas/version.ts';
import { lineOf } from './support/error-line.ts';
import { exportedForms } from './support/exported-forms.ts';
import { freshFolder } from './support/folder.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const bytes = (shape: number[], scale = 1): InputSpec => ({ type: 'uint8', shape, scale });

const leaky = (over: 'mean' | 'last' = 'mean') =>
  defineModel({
    input: bytes([20]),
    steps: 9,
    layers: [dense({ units: 12 }), lif(), dense({ units: 8 }), lif(), dense({ units: 4 }), readout({ over })],
  });

const small = randomNetwork(denseModel(bytes([30], 1 / 255), [16, 8, 5]), 1);

/** Networks of every kind, and the forms that they are written in. */
const cases: Readonly<Record<string, readonly [Network, Parameters<typeof toOnnx>[1]?]>> = {
  dense: [small],
  'dense for a GPU': [small, { target: 'gpu' }],
  'an ensemble': [randomNetwork(denseModel(bytes([30], 1 / 255), [16, 5]), 2, 3)],
  'real inputs': [randomNetwork(denseModel({ type: 'float32', shape: [30] }, [16, 5]), 5)],
  convolutions: [
    randomNetwork(
      defineModel({
        input: bytes([8, 8, 2], 1 / 255),
        layers: [
          conv2d({ filters: 4, size: 3 }),
          binary(),
          residual({ layers: [conv2d({ filters: 4, size: 3 }), binary()] }),
          maxPool({ size: 2 }),
          conv2d({ filters: 6, size: 3 }),
          binary(),
          globalAveragePool(),
          flatten(),
          dense({ units: 3 }),
          readout(),
        ],
      }),
      6,
    ),
  ],
  'a sequence': [randomNetwork(leaky('last'), 3)],
  'a sequence written step by step': [randomNetwork(leaky(), 3), { unroll: true }],
  'a stream': [randomNetwork(leaky(), 3), { form: 'stream' }],
  'an ensemble of streams': [randomNetwork(leaky(), 4, 2), { form: 'stream' }],
  recurrent: [
    randomNetwork(
      defineModel({
        input: bytes([10]),
        steps: 6,
        layers: [recurrent({ units: 9 }), dense({ units: 4 }), readout({ over: 'maximum' })],
      }),
      7,
    ),
  ],
};

let devices: CertifiedDevice[] = [];
beforeAll(async () => {
  devices = await presentDevices(['cpu'], { threads: 1 });
});

/** A device that gives what another does, but for what is changed. */
const changedDevice = (change: (name: string, data: Uint8Array | Float32Array) => void): CertifiedDevice => ({
  name: 'changed',
  detail: 'a device that errs',
  async open(model) {
    const runner = await devices[0]!.open(model);
    const run: DeviceRunner['run'] = async (feeds, outputs) => {
      const found = await runner.run(feeds, outputs);
      for (const [name, { data }] of Object.entries(found)) change(name, data as Float32Array);
      return found;
    };
    return { run, release: () => runner.release() };
  },
});

describe('a certificate', () => {
  it.each(Object.entries(cases))(
    'of %s: the reference, the oracle and the CPU agree',
    async (_, [network, form]) => {
      const model = toOnnx(network, form);
      const certificate = await certify(model, { devices, inputs: 40, network });
      const { layers, outputs } = certificate.reference;
      expect(Object.keys(layers).length).toBeGreaterThan(0);
      for (const { exact, spikes, values } of Object.values(layers)) {
        expect(exact).toBe(true);
        expect(spikes).toBeGreaterThan(0);
        expect(spikes).toBeLessThan(values);
      }
      expect(certificate.oracle?.differingSpikes).toEqual({});
      expect(certificate.oracle?.largestDifference).toBeLessThan(1e-4);
      expect(certificate.devices).toMatchObject([
        { name: 'cpu', verdict: 'identical', differingSpikes: {}, differingPredictions: 0 },
      ]);
      const [{ outputs: found }] = certificate.devices as [Certificate['devices'][number]];
      expect(Object.keys(found)).toEqual(Object.keys(outputs));
      for (const [name, { identical, largestDifference }] of Object.entries(found)) {
        expect(largestDifference).toBeLessThan(1e-4);
        expect(identical || !outputs[name]?.exact).toBe(true);
      }
      expect(certificate.versions['bitspike']).toBe(version);
      expect(parseCertificate(JSON.stringify(certificate), 'c')).toEqual(certificate);
      expect((await checkCertificate(model, certificate, { devices })).devices).toMatchObject([
        { name: 'cpu', verdict: 'identical' },
      ]);
    },
  );

  it('of a sequence and of the same network as a stream has the same spikes', async () => {
    const [whole, stream] = [{}, { form: 'stream' }] as const;
    const network = randomNetwork(leaky(), 3);
    const found = await Promise.all(
      [whole, stream].map((form) => certify(toOnnx(network, form), { devices, inputs: 12 })),
    );
    const [one, other] = found.map(({ reference }) => reference.layers);
    expect(one).toEqual(other);
  });

  it('is the same each time, and another for another seed', async () => {
    const model = toOnnx(small);
    const made = (seed: number) => certify(model, { devices: [], inputs: 20, seed });
    expect(await made(1)).toEqual(await made(1));
    const [one, other] = [await made(1), await made(2)];
    expect(one.inputs.sha256).not.toBe(other.inputs.sha256);
    expect(one.reference).not.toEqual(other.reference);
  });

  it('is of as many inputs as there is time for', async () => {
    const certificate = await certify(toOnnx(small), { devices: [] });
    expect(certificate.inputs.count).toBe(1000);
    const [hidden, units] = [4096, 4096];
    const large = denseModel(bytes([units]), [hidden, hidden, hidden, 10]);
    const { defaultCount } = await import('../export/certificate/inputs.ts');
    expect(defaultCount(large, 1)).toBe(Math.floor(1e10 / (3 * hidden * hidden + hidden * 10 + 1)));
    expect(defaultCount(large, 200)).toBe(10);
  });

  it('says where a device errs', async () => {
    const model = toOnnx(small);
    const flipped = changedDevice((name, data) => {
      if (name === '3.binary') data[5] = data[5] ? 0 : 255;
    });
    const moved = changedDevice((name, data) => {
      if (name === 'probabilities') data[2] = (data[2] as number) + 0.01;
    });
    const swapped = changedDevice((name, data) => {
      if (name === 'logits') data[0] = 1e6;
    });
    const certificate = await certify(model, { devices: [flipped, moved, swapped], inputs: 20 });
    const [first, second, third] = certificate.devices;
    expect(first).toMatchObject({ verdict: 'different', differingSpikes: { '3.binary': 1 } });
    expect(second).toMatchObject({ verdict: 'different', differingSpikes: {} });
    expect(second?.outputs['probabilities']?.largestDifference).toBeCloseTo(0.01, 6);
    expect(third?.outputs['logits']).toMatchObject({ identical: false });
    const { devices: found } = await checkCertificate(model, await certify(model, { devices, inputs: 20 }), {
      devices: [flipped, ...devices],
    });
    expect(found.map(({ verdict }) => verdict)).toEqual(['different', 'identical']);
  });

  it('leaves out of account what no runtime has to give', async () => {
    // Random real weights: sums depend on their order.
    const network = randomNetwork(denseModel({ type: 'float32', shape: [30] }, [16, 5]), 5);
    const [member] = network.members;
    const real = Object.fromEntries(
      Object.entries(member!).map(([name, tensor]) => [
        name,
        tensor.values === 'binary'
          ? {
              ...tensor,
              values: 'real' as const,
              data: Float32Array.from(tensor.data, (sign, at) => sign * (0.3 + (at % 7) / 9)),
            }
          : tensor,
      ]),
    );
    const model = toOnnx({ ...network, choice: { weights: 'real' }, members: [real] });
    const certificate = await certify(model, { devices, inputs: 200 });
    expect(Object.values(certificate.reference.layers).map(({ exact }) => exact)).toEqual([false]);
    expect(certificate.devices[0]?.verdict).not.toBe('different');
    const flipped = changedDevice((name, data) => {
      if (name === '1.binary') data[0] = data[0] ? 0 : 255;
    });
    const found = await checkCertificate(model, certificate, { devices: [flipped] });
    expect(found.devices[0]).toMatchObject({ verdict: 'close', differingSpikes: { '1.binary': 1 } });
  });

  it.each(['dense-noise', 'sequence-noise'])('feeds seeded noise to what takes it: %s', async (form) => {
    const model = exportedForms[form]!;
    const certificate = await certify(model, { devices, inputs: 20, seed: 3 });
    expect(certificate.devices[0]?.verdict).not.toBe('different');
    const other = await certify(model, { devices: [], inputs: 20, seed: 4 });
    expect(other.reference.layers).not.toEqual(certificate.reference.layers);
    const spikes = Object.values(certificate.reference.layers).map((layer) => layer.spikes / layer.values);
    for (const rate of spikes) expect(rate).toBeGreaterThan(0.02);
    expect(await lineOf(() => certify(model, { devices: [], inputs: 2, network: small }))).toMatch(
      /is not the network that it is held against|takes its noise from outside/,
    );
  });

  it('finds a network that the file is not of', async () => {
    const model = toOnnx(small);
    const [member] = small.members;
    const bias = member!['0.dense.bias']!;
    const moved: Network = {
      ...small,
      members: [
        { ...member, '0.dense.bias': { ...bias, data: bias.data.map((each) => each + 0.4) } as typeof bias },
      ],
    };
    const { oracle } = await certify(model, { devices: [], inputs: 40, network: moved });
    expect(oracle?.differingSpikes['1.binary']).toBeGreaterThan(0);
    const other = randomNetwork(denseModel(bytes([30], 1 / 255), [16, 5]), 1);
    expect(await lineOf(() => certify(model, { devices: [], inputs: 4, network: other }))).toMatch(
      /is not the network that it is held against/,
    );
  });

  it('fails for a model that one bit of was changed', async () => {
    const model = toOnnx(small);
    const certificate = await certify(model, { devices: [], inputs: 10 });
    for (const place of [40, model.length >> 1, model.length - 3]) {
      const changed = model.slice();
      changed[place] = (changed[place] as number) ^ 1;
      expect(
        await lineOf(() => checkCertificate(changed, certificate, { devices, file: 'small.onnx' })),
      ).toMatch(
        /^small\.onnx: is not the model of its certificate: its SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}$/,
      );
    }
  });

  it('fails where it was changed itself', async () => {
    const model = toOnnx(small);
    const certificate = await certify(model, { devices: [], inputs: 10 });
    const spoiled = structuredClone(certificate);
    spoiled.reference.layers['1.binary']!.sha256 = '0'.repeat(64);
    expect(await lineOf(() => checkCertificate(model, spoiled, { devices }))).toMatch(
      /the reference .* gives other 1\.binary than the certificate/,
    );
    const seeded = { ...certificate, inputs: { ...certificate.inputs, seed: 9 } } as Certificate;
    expect(await lineOf(() => checkCertificate(model, seeded, { devices }))).toMatch(
      /the inputs are not those/,
    );
    for (const text of [
      '',
      '[]',
      '{"format": "bitspike certificate 2"}',
      JSON.stringify({ ...certificate, more: 1 }),
    ])
      expect(await lineOf(() => parseCertificate(text, 'c.json'))).toMatch(/^c\.json: /);
  });

  it('can be of real examples', async () => {
    const model = toOnnx(small);
    const data = { name: 'mine', inputs: randomBytes(30 * 25, 3) };
    const certificate = await certify(model, { devices, data });
    expect(certificate.inputs).toMatchObject({ kind: 'data', data: 'mine', count: 25 });
    expect((await checkCertificate(model, certificate, { devices, data })).devices[0]?.verdict).toBe(
      'identical',
    );
    const other = { name: 'mine', inputs: randomBytes(30 * 25, 4) };
    expect(await lineOf(() => checkCertificate(model, certificate, { devices }))).toMatch(/was made on mine/);
    expect(await lineOf(() => checkCertificate(model, certificate, { devices, data: other }))).toMatch(
      /the inputs are not those/,
    );
    const odd = { name: 'odd', inputs: new Uint8Array(31) };
    expect(await lineOf(() => certify(model, { devices, data: odd }))).toMatch(/30 numbers for each/);
  });

  it('has the published JSON Schema', async () => {
    const published = new URL('../docs/certificate.schema.json', import.meta.url);
    expect(JSON.parse(await readFile(published, 'utf8'))).toEqual(certificateJsonSchema());
  });
});

describe('bitspike verify', () => {
  const folder = freshFolder();
  const output = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
  afterAll(() => {
    output.mockRestore();
    errors.mockRestore();
  });

  /** Runs it on the CPU. */
  const verify = async (...args: readonly string[]) => {
    output.mockClear();
    errors.mockClear();
    const code = await runProgram([
      'verify',
      folder.path('m.onnx'),
      '--devices',
      'cpu',
      '--threads',
      '1',
      ...args,
    ]);
    const text = output.mock.calls.map(([chunk]) => String(chunk)).join('');
    return { code, text, error: errors.mock.calls.map(([line]) => String(line)).join('\n') };
  };
  const beside = () => folder.path('m.certificate.json');

  it('writes a certificate and checks it the next time', async () => {
    await folder.put('m.onnx', toOnnx(small));
    const first = await verify('--inputs', '30', '--seed', '5', '--json');
    expect([first.code, first.error]).toEqual([0, '']);
    const certificate = parseCertificate(await readFile(beside()), 'c');
    expect(certificate).toMatchObject({ model: { file: 'm.onnx' }, inputs: { count: 30, seed: 5 } });
    expect(JSON.parse(first.text.trimEnd().split('\n').at(-1)!)).toMatchObject({
      devices: [{ name: 'cpu' }],
    });
    const written = await readFile(beside());
    const again = await verify();
    expect(again.code).toBe(0);
    expect(again.text).toMatch(/cpu +identical +0 +0/);
    expect(again.text).toContain('checked against');
    expect(await readFile(beside())).toEqual(written);
    expect(await verify('--inputs', '10')).toMatchObject({ code: 1, error: /.*add --renew to replace it/ });
    expect((await verify('--renew', '--inputs', '10')).code).toBe(0);
    expect(parseCertificate(await readFile(beside()), 'c').inputs.count).toBe(10);
  });

  it('fails in one line for a model of which one bit is another', async () => {
    const model = toOnnx(small);
    await folder.put('m.onnx', model);
    expect((await verify('--inputs', '10')).code).toBe(0);
    const changed = readModel(model);
    const weights = changed.graph.initializers.get('0.dense.weight' as never)!;
    const packed = ('stored' in weights ? weights.stored.raw : weights.data) as Uint8Array;
    packed[3] = (packed[3] as number) ^ 4;
    await writeFile(folder.path('m.onnx'), writeModel(changed));
    const found = await verify();
    expect(found.code).toBe(1);
    expect(found.error).toMatch(/^bitspike: .*m\.onnx: is not the model of its certificate: [^\n]*$/);
  });

  it('says what is wrong with what it is given', async () => {
    await folder.put('m.onnx', toOnnx(small));
    await folder.put('bad.json', '{');
    expect((await verify('--certificate', folder.path('none.json'))).error).toMatch(
      /cannot read the certificate/,
    );
    expect((await verify('--certificate', folder.path('bad.json'))).error).toMatch(
      /bad\.json: is not sound JSON/,
    );
    expect((await verify('--devices', 'abacus')).code).toBe(2);
    expect((await verify('--inputs', '0')).code).toBe(2);
  });
});
