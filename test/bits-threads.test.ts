/** Batches on the 1-bit engine: in parts, and on several threads, they have the bits of the whole. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, openLab, runInPage } from '../bench/browser/lab.ts';
import { toOnnx } from '../export/index.ts';
import { batchAxesOf } from '../runtime/bits/batch.ts';
import { type BitsRunner, openBits } from '../runtime/bits/runner.ts';
import { splitting } from '../runtime/bits/split.ts';
import { openThreaded } from '../runtime/bits/threads/index.ts';
import { startNodeThread } from '../runtime/bits/threads/start-node.ts';
import type { StartThread, Thread } from '../runtime/bits/threads/thread.ts';
import { compareOutputs, load, openBits as openAlone } from '../runtime/index.ts';
import type { HostTensor, HostTensors } from '../runtime/runner.ts';
import { describe as describeModel } from '../schemas/description.ts';
import { defineModel, dense, lif, readout } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import { type Dimension, readModel, type Value, writeModel } from '../schemas/onnx/index.ts';
import { Random } from '../schemas/random.ts';
import { type Started, startChromium } from './support/chromium.ts';
import { lineOf } from './support/error-line.ts';
import { exportedForms } from './support/exported-forms.ts';
import { freshFolder } from './support/folder.ts';
import { denseModel, randomBytes, randomNetwork } from './support/networks.ts';

const root = dirname(import.meta.dirname);

/** The file of a form with all its layers as outputs. */
function observed(form: string): Uint8Array {
  const model = readModel(exportedForms[form]!, form);
  for (const name of describeModel(model, form).layers.flat()) model.graph.output(name as Value, 'uint8');
  return writeModel(model);
}

/** Something for every input: bytes, zeros and ones as states, real numbers as noise. */
function feedsFor(bytes: Uint8Array, batch: number, seed: number): HostTensors {
  const random = Random.fromSeed(seed, 'feeds');
  const sizes: Readonly<Record<string, number>> = { batch, time: 7 };
  const feeds: Record<string, HostTensor> = {};
  for (const { name, type, dims } of readModel(bytes, 'feeds').graph.inputs) {
    const shape = (dims as readonly Dimension[]).map((size) => sizes[size] ?? Number(size));
    const length = sizeOf(shape);
    const number = (): number =>
      name.startsWith('state.') ? random.nextBelow(2) : random.nextUniform() * 2 - 1;
    feeds[name] =
      type === 'uint8'
        ? { type, dims: shape, data: Uint8Array.from({ length }, () => random.nextBelow(2)) }
        : { type: 'float32', dims: shape, data: Float32Array.from({ length }, number) };
  }
  return feeds;
}

const copyOf = (feeds: HostTensors): HostTensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { type, dims, data }]) => [name, { type, dims, data: data.slice() }]),
  ) as HostTensors;

const url = (path: string): string => JSON.stringify(pathToFileURL(join(root, path)));

/** Work for a tenth of a second, at the least. */
const heavy = toOnnx(
  randomNetwork(denseModel({ type: 'uint8', shape: [2048], scale: 1 }, [2048, 2048, 3]), 2),
);
const heavyFeeds: HostTensors = {
  input: { type: 'uint8', dims: [4000, 2048], data: randomBytes(4000 * 2048, 3, 1) },
};

const zeros = (batch: number): HostTensors => ({
  input: { type: 'float32', dims: [batch, 2048], data: new Float32Array(batch * 2048) },
});

const opened = (bytes: Uint8Array, threads: number, start: StartThread = startNodeThread) =>
  openThreaded(bytes, { threads, start, leastWork: 0 }, 'file');

describe('a batch in parts', () => {
  it.each(Object.keys(exportedForms))('has the bits of the whole: %s', async (form) => {
    const bytes = observed(form);
    const runner = await openBits(bytes, {}, form);
    const axes = batchAxesOf(readModel(bytes, form), form);
    expect(Object.keys(axes!.outputs).toSorted()).toEqual([...runner.outputs].toSorted());
    for (const batch of [3, 17]) {
      const feeds = feedsFor(bytes, batch, batch);
      const whole = runner.runNow(feeds, runner.outputs);
      // Parts of some examples, and one that is all.
      for (const part of [4, 128]) {
        const room = part * 1.5 * (runner.bytes(feedsFor(bytes, 4, 1)) / 4);
        const calls: number[] = [];
        const counted: BitsRunner = {
          ...runner,
          runNow: (given, outputs) => {
            calls.push(batchIn(given, axes!.inputs));
            return runner.runNow(given, outputs);
          },
        };
        const before = copyOf(feeds);
        expect(splitting(counted, axes, room).runNow(feeds, runner.outputs)).toEqual(whole);
        expect(feeds).toEqual(before);
        expect(calls.reduce((sum, count) => sum + count, 0)).toBe(batch);
        expect(Math.max(...calls)).toBe(Math.min(part, batch));
      }
    }
    await runner.release();
  });

  it('takes the memory of one part, however large the batch is', async () => {
    const bytes = toOnnx(randomNetwork(denseModel({ type: 'float32', shape: [2048] }, [6, 2]), 1));
    const peakOf = async (batch: number): Promise<number> => {
      const runner = await openAlone(bytes);
      await runner.run(zeros(batch), ['logits']);
      const { peak } = runner.memory();
      await runner.release();
      return peak;
    };
    const whole = (await openBits(bytes, {}, 'file')).bytes(zeros(4096));
    const part = await peakOf(1024);
    expect(part).toBeGreaterThan(2 ** 23);
    expect(part).toBeLessThan(2 ** 24);
    expect(await peakOf(4096)).toBeLessThan(part * 1.05);
    expect(whole).toBeGreaterThan(part * 3);
  });

  it('is not made where a file does not say where its examples are', () => {
    const foreign = { ...readModel(exportedForms.dense!, 'foreign'), metadata: new Map<string, string>() };
    expect(batchAxesOf(foreign, 'foreign')).toBeUndefined();
  });

  it('is refused as a whole where it is not what the graph takes', async () => {
    const runner = splitting(
      await openBits(exportedForms.dense!, {}, 'file'),
      batchAxesOf(readModel(exportedForms.dense!, 'file'), 'file'),
      1,
    );
    const input = { type: 'float32', dims: [50, 30], data: new Float32Array(1500) } as const;
    expect(await lineOf(() => runner.runNow({ input }, ['logits']))).toBe(
      "file: the input 'input' is uint8 [batch, 30]; got float32 [50, 30] in an array of 1500",
    );
    expect(await lineOf(() => runner.runNow({}, ['logits']))).toMatch(
      /there is nothing for the input 'input'/,
    );
    const bytes = { type: 'uint8', dims: [50, 30], data: new Uint8Array(1500) } as const;
    expect(await lineOf(() => runner.runNow({ input: bytes }, ['nothing']))).toMatch(/no output 'nothing'/);
  });
});

const batchIn = (feeds: HostTensors, inputs: Readonly<Record<string, number>>): number =>
  feeds.input!.dims[inputs.input!]!;

describe('a batch on several threads', () => {
  it.each([
    ['planes', 2],
    ['ensemble', 3],
    ['sequence', 2],
    ['sequence-noise', 2],
    ['neurons-stream', 3],
  ])('has the bits of one: %s on %i', async (form, threads) => {
    const bytes = observed(form);
    let shares = 0;
    const counting: StartThread = (listener) => {
      const thread = startNodeThread(listener);
      return {
        ...thread,
        tell: (order) => {
          shares += order.kind === 'run' ? 1 : 0;
          thread.tell(order);
        },
      };
    };
    const [one, several] = [await openBits(bytes, {}, form), await opened(bytes, threads, counting)];
    expect(several.notes).toEqual([]);
    const runs = [1, 2, 3, 17, 100].map(async (batch) => {
      const feeds = feedsFor(bytes, batch, batch);
      expect(await several.run(feeds, one.outputs)).toEqual(one.runNow(feeds, one.outputs));
    });
    // All at once: what belongs to one run does not get into another.
    await Promise.all(runs);
    // One share of each is computed by the thread that calls.
    const sharesOf = (batch: number): number => Math.ceil(batch / Math.ceil(batch / threads)) - 1;
    expect(shares).toBe([2, 3, 17, 100].reduce((sum, batch) => sum + sharesOf(batch), 0));
    const { weights, peak } = several.memory();
    expect(weights).toBeGreaterThanOrEqual(one.memory().weights * threads);
    expect(peak).toBeGreaterThan(weights);
    await several.release();
  });

  it('has the bits of one where it is more than one share for each thread', async () => {
    const bytes = observed('sequence');
    const [one, two] = [await openBits(bytes, {}, 'file'), await opened(bytes, 2)];
    const [first] = Object.values(feedsFor(bytes, 1, 1));
    const batch = Math.ceil((5 * 2 ** 22) / first!.data.byteLength);
    const feeds = feedsFor(bytes, batch, 1);
    expect(await two.run(feeds, ['logits'])).toEqual(one.runNow(feeds, ['logits']));
    await two.release();
  });

  it('comes from load, and classifies as one thread does', async () => {
    const [one, two] = [
      await load(exportedForms.dense!, { device: 'bits' }),
      await load(exportedForms.dense!, { device: 'bits', threads: 2 }),
    ];
    const images = randomBytes(300 * 30, 4);
    expect(await two.classify(images)).toEqual(await one.classify(images));
    expect(two.notes).toEqual([]);
    await two.close();
    await two.close();
    expect(await lineOf(() => two.classify(images))).toMatch(/the network is closed/);
  });

  it('is too little to be shared where it takes less than the way to a thread', async () => {
    let shares = 0;
    const runner = await openThreaded(
      exportedForms.dense!,
      {
        threads: 2,
        leastWork: 1e6,
        start: (listener) => {
          const thread = startNodeThread(listener);
          return {
            ...thread,
            tell: (order) => ((shares += Number(order.kind === 'run')), thread.tell(order)),
          };
        },
      },
      'file',
    );
    const feeds = feedsFor(exportedForms.dense!, 9, 1);
    for (let run = 0; run < 3; run++) await runner.run(feeds, ['logits']);
    // The first run tells how long it takes.
    expect(shares).toBe(1);
    await runner.release();
  });

  it('fails with the error of the example that cannot be computed, and the next one does not', async () => {
    const bytes = exportedForms['neurons-stream']!;
    const [one, two] = [await openBits(bytes, {}, 'file'), await opened(bytes, 2)];
    const feeds = feedsFor(bytes, 40, 1);
    const name = Object.keys(feeds).find((each) => each.endsWith('recurrent.spikes'))!;
    const { dims, data, type } = feeds[name]!;
    const wrong = {
      ...feeds,
      [name]: { type, dims, data: (data as Float32Array).slice().fill(0.5, 30, 31) },
    } as HostTensors;
    const line = await lineOf(() => one.runNow(wrong, ['logits']));
    expect(line).toMatch(/holds numbers other than 0 and 1/);
    expect(await lineOf(() => two.run(wrong, ['logits']))).toBe(line);
    expect(await two.run(feeds, ['logits'])).toEqual(one.runNow(feeds, ['logits']));
    expect(await lineOf(() => two.run({}, ['logits']))).toMatch(/there is nothing for the input/);
    await two.release();
  });

  it('fails where its thread ends, and the others go on', async () => {
    const threads: Thread[] = [];
    let dying: Thread | undefined;
    const runner = await opened(heavy, 3, (listener) => {
      const thread = startNodeThread(listener);
      threads.push(thread);
      const tell: Thread['tell'] = (order) => {
        thread.tell(order);
        if (order.kind === 'run' && thread === dying) void thread.end();
      };
      return { ...thread, tell };
    });
    for (const thread of threads) {
      dying = thread;
      expect(await lineOf(() => runner.run(heavyFeeds, ['logits']))).toMatch(
        /^file: a thread that computed examples is gone \(it ended with code 1\)/,
      );
    }
    // With no thread left the one that calls computes.
    const input = {
      type: 'uint8',
      dims: [5, 2048],
      data: heavyFeeds.input!.data.slice(0, 5 * 2048),
    } as HostTensor;
    const one = await openBits(heavy, {}, 'file');
    expect(await runner.run({ input }, ['logits'])).toEqual(one.runNow({ input }, ['logits']));
    await runner.release();
  });

  it('fails where it is closed meanwhile', async () => {
    const runner = await opened(heavy, 2);
    const run = runner.run(heavyFeeds, ['logits']);
    const said = lineOf(() => run);
    await runner.release();
    expect(await said).toBe('file: it was closed while it computed; await what runs before that');
    expect(await lineOf(() => runner.run(heavyFeeds, ['logits']))).toMatch(/^the network is closed/);
  });

  it('is computed by one where no other starts, which is noted', async () => {
    const refused = await opened(exportedForms.dense!, 2, () => {
      throw new Error('threads are not allowed');
    });
    expect(refused.notes).toEqual([
      'It computes on one thread, not 2, as no other can be started here: threads are not allowed.',
    ]);
    const broken = await opened(exportedForms.dense!, 2, (listener) => {
      setTimeout(() => listener.onEnd('its file cannot be loaded'));
      return { tell: () => {}, hold: () => {}, end: async () => {} };
    });
    expect(broken.notes).toEqual([expect.stringMatching(/not 2, as no other can be .*: its file cannot be/)]);
    const feeds = feedsFor(exportedForms.dense!, 9, 1);
    expect(await broken.run(feeds, ['logits'])).toEqual(await refused.run(feeds, ['logits']));
  });

  describe('in a program', () => {
    const folder = freshFolder();

    it('does not keep it from ending', async () => {
      await folder.put('model.onnx', exportedForms.dense!);
      const hooks = `import { register } from 'node:module';
        if (!process.features.typescript) register(${url('test/support/typescript-hooks.mjs')});`;
      await folder.put(
        'main.mjs',
        `const { load } = await import(${url('runtime/index.ts')});
        const network = await load(${JSON.stringify(folder.path('model.onnx'))}, { device: 'bits', threads: 2 });
        console.log((await network.classify(new Uint8Array(30 * 64))).length, network.notes.length);`,
      );
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`, folder.path('main.mjs')],
        { timeout: 60_000 },
      );
      expect(stdout).toBe('64 0\n');
    });
  });
});

describe('in Chromium', () => {
  const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
  const onnx = toOnnx(
    randomNetwork(
      defineModel({
        input: { type: 'uint8', shape: [60], scale: 1 },
        steps: 9,
        layers: [dense({ units: 40 }), lif(), dense({ units: 5 }), readout()],
      }),
      3,
    ),
  );
  let started: Started;
  const labs: Lab[] = [];

  beforeAll(async () => {
    started = await startChromium();
    if ('missing' in started) return;
    for (const options of [{ isolated: true, csp: STRICT }, {}])
      labs.push(await openLab(started.browser, root, { '/model.onnx': onnx }, options));
  });

  beforeEach(({ skip }) => {
    if ('missing' in started) skip(started.missing);
  });

  afterAll(async () => {
    for (const lab of labs) await lab.close();
    if ('browser' in started) await started.browser.close();
  });

  const inputs = randomBytes(60 * 9 * 50, 6, 1);

  /** What Node says, on one thread. */
  async function expected() {
    const described = await load(onnx);
    const network = await load(onnx, { device: 'bits', observe: described.description.layers.flat() });
    const outputs = await network.run(inputs);
    await Promise.all([described.close(), network.close()]);
    return outputs;
  }

  it('workers of a page say what Node says, refused nothing by a strict policy', async () => {
    const page = await labs[0]!.open();
    const workers: string[] = [];
    page.on('worker', (worker) => workers.push(worker.url()));
    const { outputs, notes } = await runInPage(page, '/model.onnx', inputs, { device: 'bits', threads: 2 });
    expect(notes).toEqual([]);
    // The page opens the network twice: to know its layers, and to observe them.
    expect(workers).toEqual(Array(2).fill(expect.stringMatching(/\/bitspike-worker\.js$/)));
    const differences = compareOutputs(await expected(), outputs);
    expect(differences.filter(({ output }) => output !== 'probabilities')).toEqual([]);
    expect(await page.evaluate(() => (globalThis as unknown as { refused: string[] }).refused)).toEqual([]);
    // Closed networks leave no worker behind.
    await expect.poll(() => page.workers().length).toBe(0);
    await page.close();
  });

  it('one thread computes where the page is not isolated, which is noted', async () => {
    const page = await labs[1]!.open();
    const { outputs, notes } = await runInPage(page, '/model.onnx', inputs, { device: 'bits', threads: 2 });
    expect(notes).toEqual([
      expect.stringMatching(
        /^It computes on one thread, not 2, as this page is not .*Cross-Origin-Opener-Policy/,
      ),
    ]);
    const differences = compareOutputs(await expected(), outputs);
    expect(differences.filter(({ output }) => output !== 'probabilities')).toEqual([]);
    expect(page.workers()).toEqual([]);
    await page.close();
  });
});
