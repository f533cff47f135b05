import '@tensorflow/tfjs-backend-cpu';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { refractoryLif } from '../examples/refractory-lif.ts';
import { traceSynapse } from '../examples/trace-synapse.ts';
import { freeze, type Network, runOracle, toOnnx } from '../export/index.ts';
import { load } from '../runtime/index.ts';
import { loadPosterior } from '../schemas/checkpoint/index.ts';
import {
  defineLayer,
  defineModel,
  dense,
  lif,
  type Model,
  type ModelDefinition,
  type Parameter,
  readout,
  registerLayer,
  residual,
  type Shape,
} from '../schemas/index.ts';
import { modelOfJson } from '../schemas/json.ts';
import { Random } from '../schemas/random.ts';
import { type Dataset, resumeTraining, train, trainInFolder } from '../train/index.ts';
import { lineOf } from './support/error-line.ts';
import { randomBytes, randomNetwork } from './support/networks.ts';
import { relativeDifference } from './support/numbers.ts';
import { randomFeeds, runEagerly, runTraced, smallState, smallStep } from './support/training.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bitspike-own-layers-'));
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

const STEPS = 12;
const CHANNELS = 10;

const model = defineModel({
  input: { type: 'uint8', shape: [CHANNELS], scale: 1 },
  steps: STEPS,
  layers: [
    traceSynapse({ units: 24, decay: 0.6 }),
    refractoryLif({ rest: 2 }),
    dense({ units: 12 }),
    refractoryLif({ rest: 1, decay: 0.8, threshold: 0.7 }),
    traceSynapse({ units: 2 }),
    readout(),
  ],
});

/** Spikes of which each class has other channels. */
function spikeData(count: number): Dataset {
  const random = Random.fromSeed(6, 'spikes');
  const labels = Uint8Array.from({ length: count }, () => random.nextBelow(2));
  const inputs = Uint8Array.from({ length: count * STEPS * CHANNELS }, (_, at) => {
    const active = at % CHANNELS < CHANNELS / 2 ? 0 : 1;
    return random.nextUniform() < (active === labels[Math.floor(at / (STEPS * CHANNELS))] ? 0.4 : 0.1)
      ? 1
      : 0;
  });
  return {
    name: 'spikes',
    inputs,
    shape: [CHANNELS],
    steps: STEPS,
    scale: 1,
    labels,
    count,
    classes: 2,
    classNames: ['low', 'high'],
  };
}

/** [batch, time, …] as the oracle takes it, [time × batch, …]. */
function byTime(inputs: Uint8Array, batch: number): Uint8Array {
  const turned = new Uint8Array(inputs.length);
  inputs.forEach((byte, at) => {
    const [example, step] = [Math.floor(at / (STEPS * CHANNELS)), Math.floor(at / CHANNELS) % STEPS];
    turned[(step * batch + example) * CHANNELS + (at % CHANNELS)] = byte;
  });
  return turned;
}

/** Runs a network in onnxruntime and holds every spike against the oracle's. Returns how many fired, of how many. */
async function expectSameSpikes(network: Network, inputs: Uint8Array, batch: number) {
  const bytes = toOnnx(network);
  const plain = await load(bytes);
  const names = plain.description.layers[0]!;
  await plain.close();
  const exported = await load(bytes, { observe: names });
  const outputs = await exported.run(inputs);
  await exported.close();
  const oracle = runOracle(network, network.members[0]!, byTime(inputs, batch));
  let [spikes, of] = [0, 0];
  for (const name of names) {
    const found = Array.from(outputs[name]!.data, (value) => (value > 0 ? 1 : 0));
    expect({ name, spikes: found }).toEqual({ name, spikes: Array.from(oracle.layers[name]!) });
    spikes += found.filter(Boolean).length;
    of += found.length;
  }
  oracle.logits.forEach((logit, at) => {
    expect(Math.abs(outputs.logits!.data[at]! - logit)).toBeLessThan(1e-5 * Math.max(1, Math.abs(logit)));
  });
  return { spikes, of, names };
}

describe('the equations of two layers of one’s own, by plain loops', () => {
  // A barrier that no current of random gains passes.
  const rests = {
    ...model,
    layers: [model.layers[0]!, refractoryLif({ rest: 2, barrier: 1000 }), ...model.layers.slice(2)],
  };
  const network = randomNetwork(defineModel(rests), 3);
  const [member] = network.members as [(typeof network.members)[0]];
  const inputs = randomBytes(STEPS * CHANNELS, 5, 1);
  const { layers } = runOracle(network, member, inputs);
  const real = (name: string) => Array.from(member[name]!.data);

  test('a synapse sums traces: x̄_t = decay x̄_(t−1) + x_t', () => {
    const [weight, gain, bias] = ['weight', 'gain', 'bias'].map((name) => real(`0.traceSynapse.${name}`));
    const trace = new Float64Array(CHANNELS);
    for (let time = 0; time < STEPS; time++) {
      trace.forEach((before, channel) => {
        trace[channel] = 0.6 * before + inputs[time * CHANNELS + channel]!;
      });
      for (let unit = 0; unit < 24; unit++) {
        const sum = trace.reduce((total, value, channel) => total + value * weight![channel * 24 + unit]!, 0);
        const current = gain![unit]! * sum + bias![unit]!;
        expect(layers['0.traceSynapse']![time * 24 + unit]).toBeCloseTo(current, 4);
      }
    }
  });

  test('a neuron rests after a spike, and loses what comes in', () => {
    const currents = layers['0.traceSynapse']!;
    let fired = 0;
    for (let unit = 0; unit < 24; unit++) {
      let [membrane, resting] = [0, 0];
      for (let time = 0; time < STEPS; time++) {
        membrane = resting > 0 ? 0 : 0.9 * membrane + currents[time * 24 + unit]!;
        const spike = resting === 0 && membrane > 1 ? 1 : 0;
        expect(layers['1.refractoryLif']![time * 24 + unit]).toBe(spike);
        membrane -= spike;
        resting = spike ? 2 : Math.max(0, resting - 1);
        fired += spike;
      }
    }
    expect(fired).toBeGreaterThan(10);
  });
});

describe('a network with layers of one’s own', () => {
  const data = spikeData(192);
  const settings = {
    epochs: 6,
    batchSize: 32,
    seed: 2,
    threads: 1,
    learningRate: 0.1,
    temperature: { shape: 'exponential', from: 1, to: 0.2 },
  } as const;

  test.each([
    ['step', {}],
    ['one draw of the weights for a sequence', { noise: 'sequence' }],
    ['Gaussian weights', { posterior: { family: 'gaussian', scale: 'layer', prior: 1 } }],
    ['everything in the loss', { penalty: 'current', divergence: true, cooling: true, annealing: true }],
  ] as const)('takes the same step traced and eager: %s', async (_name, choices) => {
    const step = smallStep(choices, model);
    const state = smallState('posterior' in choices ? choices.posterior : undefined, model);
    const feeds = randomFeeds(step, 4);
    const eager = await runEagerly(step, state, feeds);
    const traced = await runTraced(step, state, feeds, { reports: ['loss'], gradients: true });
    expect(traced.reports.loss![0]).toBeCloseTo(eager.reports.loss![0]!, 4);
    const apart: string[] = [];
    for (const [name, gradient] of Object.entries(eager.gradients)) {
      if (!(relativeDifference(traced.gradients[name]!, gradient) < 1e-4)) apart.push(name);
      if (!gradient.some(Boolean)) apart.push(`${name} has no gradient`);
    }
    expect(apart).toEqual([]);
  });

  test('learns, is frozen, exported, and fires in onnxruntime as in the oracle', async () => {
    const losses: number[] = [];
    const shallow = defineModel({
      ...model,
      layers: [...model.layers.slice(0, 2), ...model.layers.slice(-2)],
    });
    const posterior = await train(shallow, data, {
      ...settings,
      onProgress: ({ epoch, reports }) => {
        losses[epoch] = reports.crossEntropy!;
      },
    });
    expect(losses[0]!).toBeGreaterThan(0.2);
    expect(losses.at(-1)!).toBeLessThan(0.2 * losses[0]!);

    const network = freeze(posterior, { weights: 'mean' });
    const size = STEPS * CHANNELS;
    const { spikes, of, names } = await expectSameSpikes(network, data.inputs.subarray(0, 40 * size), 40);
    expect(names).toEqual(['1.refractoryLif']);
    expect(spikes).toBeGreaterThan(0.02 * of);

    const exported = await load(toOnnx(network));
    const answers = await exported.classify(data.inputs);
    await exported.close();
    const right = answers.filter(({ label }, index) => label === data.labels[index]).length;
    expect(right).toBeGreaterThan(0.9 * data.count);
  });

  test('fires alike for any parameters', async () => {
    for (const seed of [1, 2, 3]) {
      const { spikes } = await expectSameSpikes(
        randomNetwork(model, seed),
        randomBytes(5 * STEPS * CHANNELS, seed, 1),
        5,
      );
      expect(spikes).toBeGreaterThan(0);
    }
  });

  test('learns the same with both engines', async () => {
    const few = { ...settings, epochs: 1, batchSize: 96 };
    const traced = await train(model, data, few);
    const eager = await train(model, data, { ...few, engine: 'tfjs', backend: 'cpu', threads: undefined });
    const apart = Object.entries(traced.learned).filter(([name, { data: values }]) =>
      values.some((value, at) => !(Math.abs(value - eager.learned[name]!.data[at]!) < 1e-3)),
    );
    expect(apart).toEqual([]);
  });

  test('is plain data: JSON, and folders that go on', async () => {
    expect(modelOfJson(JSON.parse(JSON.stringify(model)), 'here')).toEqual(model);
    const run = join(root, 'run');
    const controller = new AbortController();
    const stopped = trainInFolder(run, model, data, {
      ...settings,
      epochs: 2,
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step === 8) controller.abort(new Error('stopped by the test'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped by the test');
    const posterior = await resumeTraining(run, data);
    expect(await loadPosterior(run)).toEqual(posterior);
    expect(posterior).toEqual(await train(model, data, { ...settings, epochs: 2 }));
  });
});

describe('a delay line longer than most', () => {
  test('trains too: what a state is passes along it', async () => {
    const long: Model = defineModel({
      ...model,
      layers: [dense({ units: 6 }), refractoryLif({ rest: 11 }), dense({ units: 2 }), readout()],
    });
    const posterior = await train(long, spikeData(32), { epochs: 1, batchSize: 32, seed: 1, threads: 1 });
    const { spikes } = await expectSameSpikes(freeze(posterior), spikeData(4).inputs, 4);
    expect(spikes).toBeGreaterThan(0);
  });
});

describe('layers of signals that carry a state', () => {
  // Bytes of a scale: what the first layer is fed are numbers of a unit, and no longer inside a loop.
  const smooth = registerLayer(
    defineLayer({
      kind: 'smooth',
      takes: 'signal',
      gives: 'signal',
      rearranges: true,
      options: z.strictObject({ decay: z.number().default(0.5) }),
      outputShape: (_options, input) => input,
      parameters: () => ({}),
      state: (_options, input) => ({ trace: input }),
      step(ops, { decay }, _parameters, { trace }, input) {
        const next = ops.add(ops.leak(trace, decay), ops.multiply(input, 1 - decay));
        return [next, { trace: next }];
      },
    }),
  );

  test('see what the bytes stand for', async () => {
    const smoothed = defineModel({
      ...model,
      input: { type: 'uint8', shape: [CHANNELS], scale: 0.25 },
      layers: [smooth(), dense({ units: 7 }), lif({ threshold: 0.5 }), dense({ units: 2 }), readout()],
    });
    const network = randomNetwork(smoothed, 4);
    const inputs = randomBytes(STEPS * CHANNELS, 8, 9);
    const { layers } = runOracle(network, network.members[0]!, inputs);
    let trace = 0;
    for (let time = 0; time < STEPS; time++) {
      trace = 0.5 * trace + 0.5 * 0.25 * inputs[time * CHANNELS]!;
      expect(layers['0.smooth']![time * CHANNELS]).toBeCloseTo(trace, 6);
    }
    const { spikes } = await expectSameSpikes(network, inputs, 1);
    expect(spikes).toBeGreaterThan(0);
  });

  test('can be inside a residual block', () => {
    const inside = [smooth(), dense({ units: CHANNELS }), lif()];
    const nested = defineModel({
      ...model,
      layers: [residual({ layers: inside }), dense({ units: 2 }), readout()],
    });
    expect(nested.layers[0]).toMatchObject({ layers: [{ kind: 'smooth', decay: 0.5 }, {}, {}] });
  });
});

const options = z.strictObject({ units: z.int().default(3) });

/** A synapse that does nothing wrong, under a kind of its own. */
const synapse = (kind: string) =>
  ({
    kind,
    takes: 'signal',
    gives: 'current',
    options,
    outputShape: (): Shape => [3],
    parameters: (_options: unknown, [inputs = 0]: Shape): Record<'weight' | 'gain', Parameter> => ({
      weight: { shape: [inputs, 3], role: 'weight', fanIn: inputs },
      gain: { shape: [3], role: 'gain', fanIn: inputs },
    }),
    state: () => ({}),
  }) as const;

const register = (layer: unknown) => () => registerLayer(layer as typeof traceSynapse);

describe('registering', () => {
  const changed = (change: object) =>
    register({ ...traceSynapse, layer: { ...traceSynapse.layer, ...change } });
  const made = (change: object) => {
    return register(Object.assign(() => ({}), { layer: { ...traceSynapse.layer, kind: 'made', ...change } }));
  };

  test('the same layer again changes nothing', () => {
    expect(registerLayer(traceSynapse)).toBe(traceSynapse);
    expect(traceSynapse({ units: 2 })).toEqual({ kind: 'traceSynapse', units: 2, decay: 0.5 });
  });

  test.each([
    [
      'a library’s kind',
      made({ kind: 'lif' }),
      "the kind 'lif' is a layer of the library; give yours another kind",
    ],
    [
      'another’s kind',
      made({ kind: 'traceSynapse' }),
      "another layer of the kind 'traceSynapse' is registered",
    ],
    ['a kind that no name can hold', made({ kind: 'my.layer' }), 'a kind is made of letters and digits'],
    [
      'a flow that there is not',
      made({ gives: 'sound' }),
      "gives is 'sound'; expected signal, current, logits",
    ],
    ['nothing can follow logits', made({ takes: 'logits' }), "takes is 'logits'; expected signal or current"],
    ['options of no schema', made({ options: {} }), 'options is no object schema of zod'],
    [
      'an option of a taken name',
      made({ options: z.object({ kind: z.string() }) }),
      "an option is called 'kind'",
    ],
    ['layers and no join', made({ options: z.object({ layers: z.any() }) }), "an option 'layers' and join()"],
    ['no step', made({ step: undefined }), "'made': has no step()"],
    ['a thing', register({}), 'expected what defineLayer() returns'],
    ['nothing', register(undefined), 'expected what defineLayer() returns'],
    ['no function', changed({}), 'expected what defineLayer() returns'],
  ])('refuses %s', async (_name, attempt, line) => {
    expect(await lineOf(attempt)).toContain(line);
    expect(await lineOf(attempt)).toMatch(/^registerLayer: /);
  });

  test('comes before what uses it', async () => {
    const json = { input: [4], layers: [{ kind: 'unheard' }, readout()] };
    expect(await lineOf(() => modelOfJson(json, 'model.json'))).toMatch(
      /^model\.json: model layer 0: unknown kind "unheard"; .* or one of your own after registerLayer\(\)$/,
    );
    const unheard = defineLayer({
      ...synapse('unheard'),
      step: (_ops, _options, _own, _state, x) => [x, {}],
    });
    // @ts-expect-error the compiler knows as well
    const definition: ModelDefinition = { input: [4], layers: [unheard(), readout()] };
    expect(await lineOf(() => defineModel(definition))).toContain('unknown kind "unheard"');
  });
});

describe('a layer that does other than it declares is refused where a model has it', () => {
  let count = 0;
  const lineOfLayer = (change: object): Promise<string> => {
    const kind = `wrong${count++}`;
    const own = registerLayer(
      defineLayer({
        ...synapse(kind),
        step: (ops, _options, { weight, gain }, _state, x) => [ops.multiply(ops.linear(x, weight), gain), {}],
        ...(change as Record<never, never>),
      }),
    );
    const end = own.layer.gives === 'current' ? [] : [dense({ units: 3 })];
    return lineOf(() => defineModel({ input: [4], layers: [own(), ...end, readout()] }));
  };
  type Loose = (ops: never, options: unknown, own: never, state: never, x: never) => unknown;
  // Steps that are wrong on purpose, some of which the compiler would refuse.
  const step = (wrong: (ops: Any, own: Any, x: Any) => unknown): { step: Loose } => ({
    step: (ops, _options, own, _state, x) => wrong(ops, own, x),
  });
  // biome-ignore lint/suspicious/noExplicitAny: see above
  type Any = ReturnType<typeof JSON.parse>;

  test.each([
    ['output', step((_ops, _own, x) => [x, {}]), 'its step gives [4] per example, its outputShape says [3]'],
    ['state', { state: () => ({ sums: [3] }) }, "its step returns no state 'sums'"],
    [
      'state of another shape',
      {
        state: () => ({ sums: [3] }),
        ...step((ops, { weight }, x) => [ops.linear(x, weight), { sums: x }]),
      },
      "its step leaves [4] in the state 'sums', which is [3]",
    ],
    [
      'state that is not declared',
      step((ops, { weight }, x) => [ops.linear(x, weight), { more: x }]),
      "returns a state 'more'",
    ],
    [
      'product',
      step((ops, { gain }, x) => [ops.multiply(x, gain), {}]),
      'multiply() of [4] by a parameter [3]; expected a parameter per channel',
    ],
    ['product of activations', step((ops, _own, x) => [ops.multiply(x, x), {}]), 'multiply() of [4] by [4]'],
    ['sum', step((ops, { gain }, x) => [ops.linear(x, gain), {}]), 'linear() of [4] by a parameter [3]'],
    [
      'spike',
      step((ops, { weight }, x) => [ops.spike(ops.linear(x, weight), 0), {}]),
      'its step calls spike(); a layer of neurons gives a signal',
    ],
    [
      'spike without a current',
      {
        gives: 'signal',
        ...step((ops, { weight }, x) => [ops.spike(ops.leak(ops.linear(x, weight), 0.5), 0), {}]),
      },
      'spike() of what leak() or reset() left; the current of this step and its noise are to be added before',
    ],
    [
      'weights without a gain',
      { parameters: () => ({ weight: { shape: [4, 3], role: 'weight', fanIn: 4 } }) },
      'has weights [4, 3] and so needs one parameter of the role gain and the shape [3]',
    ],
    [
      'role',
      { parameters: () => ({ weight: { shape: [4, 3], role: 'mass', fanIn: 4 } }) },
      "the parameter 'weight' has the role 'mass'; expected weight, gain, bias, decay, threshold",
    ],
  ])('%s', async (_name, change, line) => {
    const found = await lineOfLayer(change);
    expect(found).toContain(line);
    expect(found).toMatch(/^layer 0\.wrong\d+: /);
  });

  test('neurons that do not fire', async () => {
    const silent = registerLayer(
      defineLayer({
        kind: 'silent',
        takes: 'signal',
        gives: 'signal',
        options: z.strictObject({}),
        outputShape: (_options, input) => input,
        parameters: () => ({}),
        state: () => ({}),
        step: (_ops, _options, _own, _state, x) => [x, {}],
      }),
    );
    const layers = [silent(), dense({ units: 2 }), readout()];
    expect(await lineOf(() => defineModel({ input: [4], layers }))).toContain(
      'its step calls spike() 0 times; neurons fire once a step',
    );
  });
});
