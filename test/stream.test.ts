/** Streams: steps one by one, in chunks, side by side; kept, sent and taken up again; against whole sequences. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toOnnx } from '../export/index.ts';
import { type LoadedNetwork, load, type Output, type StreamSession } from '../runtime/index.ts';
import {
  adaptiveLif,
  defineModel,
  dense,
  lif,
  type Model,
  readout,
  recurrent,
  UserError,
} from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { readSafetensors, writeSafetensors } from '../schemas/safetensors.ts';
import { denseModel, randomNetwork } from './support/networks.ts';

const STEPS = 12;
const CHANNELS = 5;

const input = { type: 'uint8', shape: [CHANNELS], scale: 1 } as const;
const model: Model = defineModel({
  input,
  steps: STEPS,
  layers: [
    dense({ units: 9 }),
    lif(),
    recurrent({ units: 7, neuron: adaptiveLif() }),
    dense({ units: 3 }),
    readout(),
  ],
});
const network = randomNetwork(model, 4);
const observe = ['1.lif', '2.recurrent'];

/** Spikes of some streams, [steps, streams, channels]. */
function spikes(streams: number, seed: number, steps = STEPS): Uint8Array {
  const random = Random.fromSeed(seed, 'spikes');
  return Uint8Array.from({ length: steps * streams * CHANNELS }, () => Number(random.nextBelow(3) === 0));
}

/** One stream out of several, [steps, channels]. */
const streamOf = (steps: Uint8Array, stream: number, streams: number): Uint8Array =>
  Uint8Array.from({ length: steps.length / streams }, (_, index) => {
    const step = Math.floor(index / CHANNELS);
    return steps[(step * streams + stream) * CHANNELS + (index % CHANNELS)] as number;
  });

const part = (steps: Uint8Array, from: number, to: number, streams = 1): Uint8Array =>
  steps.slice(from * streams * CHANNELS, to * streams * CHANNELS);

/** What a layer does in all steps of all chunks. */
const joined = (outputs: readonly Record<string, Output>[], name: string): number[] =>
  outputs.flatMap((output) => [...(output[name]?.data ?? [])]);

async function pushAll(
  session: StreamSession,
  chunks: readonly Uint8Array[],
): Promise<Record<string, Output>[]> {
  const found: Record<string, Output>[] = [];
  for (const chunk of chunks) found.push(await session.push(chunk));
  return found;
}

describe.each(['cpu', 'wasm', 'bits'] as const)('on %s', (device) => {
  let whole: LoadedNetwork;
  let streamed: LoadedNetwork;

  beforeAll(async () => {
    whole = await load(toOnnx(network), { device, observe });
    streamed = await load(toOnnx(network, { form: 'stream' }), { device, observe });
  });

  afterAll(async () => {
    await whole.close();
    await streamed.close();
  });

  describe('a stream', () => {
    it.each([
      ['one step at a time', Array.from({ length: STEPS }, () => 1)],
      ['all at once', [STEPS]],
      ['in uneven chunks', [1, 5, 2, 4]],
    ])('%s, ends where the whole sequence does', async (_name, sizes) => {
      const steps = spikes(1, 1);
      const expected = await whole.run(steps);
      let at = 0;
      const chunks = sizes.map((size) => part(steps, at, (at += size)));
      const found = await pushAll(streamed.stream(), chunks);
      const last = found.at(-1)!;
      expect(last.logits).toEqual(expected.logits);
      expect(Object.keys(last).sort()).toEqual(['1.lif', '2.recurrent', 'logits', 'probabilities']);
      for (const name of observe) expect(joined(found, name)).toEqual([...expected[name]!.data]);
      expect(last['1.lif']!.dims).toEqual([sizes.at(-1), 1, 9]);
    });

    it('says the classes so far', async () => {
      const steps = spikes(1, 2);
      const session = streamed.stream();
      await session.push(part(steps, 0, 7));
      const [answer] = await session.classify(part(steps, 7, STEPS));
      expect(answer).toEqual((await whole.classify(steps))[0]);
    });

    it('goes on beyond the length of a training example', async () => {
      const steps = spikes(1, 3, 3 * STEPS);
      const session = streamed.stream();
      const [all] = await pushAll(session, [steps]);
      expect(all!['1.lif']!.dims).toEqual([3 * STEPS, 1, 9]);
      session.reset();
      const parts = await pushAll(session, [part(steps, 0, 20), part(steps, 20, 36)]);
      expect(parts[1]!.logits).toEqual(all!.logits);
    });

    it('side by side, none feels the others', async () => {
      const steps = spikes(3, 4);
      const together = streamed.stream({ batch: 3 });
      const found = await pushAll(together, [part(steps, 0, 5, 3), part(steps, 5, STEPS, 3)]);
      expect(found[1]!.logits!.dims).toEqual([3, 3]);
      for (const stream of [0, 1, 2]) {
        const [alone] = await pushAll(streamed.stream(), [streamOf(steps, stream, 3)]);
        expect([...found[1]!.logits!.data].slice(stream * 3, stream * 3 + 3)).toEqual([
          ...alone!.logits!.data,
        ]);
      }
    });

    it('several sessions of one network are apart', async () => {
      const [first, second] = [streamed.stream(), streamed.stream()];
      const [a, b] = [spikes(1, 5), spikes(1, 6)];
      await first.push(part(a, 0, 6));
      await second.push(part(b, 0, 6));
      const ended = await first.push(part(a, 6, STEPS));
      expect(ended.logits).toEqual((await whole.run(a)).logits);
    });

    it('also runs whole sequences', async () => {
      const steps = spikes(1, 7);
      const [found, expected] = [await streamed.run(steps), await whole.run(steps)];
      expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
      expect(found.logits).toEqual(expected.logits);
      expect(await streamed.classify(steps)).toEqual(await whole.classify(steps));
    });

    it('is the same on every device, and goes on there', async () => {
      const steps = spikes(2, 8);
      const other = await load(toOnnx(network, { form: 'stream' }), { device: 'cpu', observe });
      const [expected, found] = [other.stream({ batch: 2 }), streamed.stream({ batch: 2 })];
      for (let step = 0; step < STEPS; step++) {
        const one = part(steps, step, step + 1, 2);
        if (step === 4) found.restore(expected.snapshot());
        if (step === 8) for (const session of [expected, found]) session.reset([1]);
        const [a, b] = [await expected.push(one), await found.push(one)];
        for (const name of [...observe, 'logits']) expect(b[name]).toEqual(a[name]);
      }
      expect(found.snapshot()).toEqual(expected.snapshot());
      await other.close();
    });
  });

  describe('reset', () => {
    it('begins anew', async () => {
      const steps = spikes(1, 9);
      const session = streamed.stream();
      const first = await session.push(steps);
      expect((await session.push(steps)).logits).not.toEqual(first.logits);
      session.reset();
      expect((await session.push(steps)).logits).toEqual(first.logits);
    });

    it('of some streams leaves the others as they are', async () => {
      const steps = spikes(3, 10);
      const session = streamed.stream({ batch: 3 });
      await session.push(part(steps, 0, 4, 3));
      session.reset([0, 2]);
      const found = await session.push(part(steps, 4, STEPS, 3));
      for (const stream of [0, 1, 2]) {
        const own = streamOf(steps, stream, 3);
        const seen = stream === 1 ? own : part(own, 4, STEPS);
        const [alone] = await pushAll(streamed.stream(), [seen]);
        expect([...found.logits!.data].slice(stream * 3, stream * 3 + 3)).toEqual([...alone!.logits!.data]);
      }
    });
  });

  describe('a snapshot', () => {
    it('goes on in another session with the very next bit', async () => {
      const steps = spikes(2, 11);
      const session = streamed.stream({ batch: 2 });
      await session.push(part(steps, 0, 5, 2));
      const kept = session.snapshot();
      const expected = await session.push(part(steps, 5, STEPS, 2));
      const other = streamed.stream({ batch: 2 });
      await other.push(spikes(2, 12));
      other.restore(kept);
      expect(await other.push(part(steps, 5, STEPS, 2))).toEqual(expected);
      // Taking it up changed nothing in it.
      session.restore(kept);
      expect(await session.push(part(steps, 5, STEPS, 2))).toEqual(expected);
    });

    it('is refused in one line where it does not fit, and changes nothing then', async () => {
      const session = streamed.stream();
      await session.push(part(spikes(1, 13), 0, 3));
      const kept = session.snapshot();
      const other = await load(toOnnx(randomNetwork(model, 5), { form: 'stream' }), { device });
      const { tensors, metadata } = readSafetensors(kept, 'kept');
      const changed = (change: object, states = Object.fromEntries(tensors)) =>
        writeSafetensors(states, { ...metadata, ...change });
      const [name, state] = [...tensors][0]!;
      const withState = (odd: object) =>
        changed({}, { ...Object.fromEntries(tensors), [name]: { ...state, ...odd } });
      const wrong: [() => void, RegExp][] = [
        [
          () => other.stream().restore(kept),
          /^restore: snapshot: model is "[0-9a-f]{64}"; expected "[0-9a-f]{64}"$/,
        ],
        [() => streamed.stream({ batch: 2 }).restore(kept), /batch is "1"; expected "2"/],
        [() => session.restore(changed({ version: '2' })), /version is "2"; expected "1"/],
        [
          () => session.restore(changed({ format: 'letter' })),
          /format is "letter"; expected "bitspike stream"/,
        ],
        [
          () => session.restore(changed({ noise: '[[1,2,3,4]]' })),
          /noise: expected the states of 0 generators/,
        ],
        [
          () => session.restore(kept.slice(0, kept.length - 3)),
          /restore: snapshot: byte \d+: the file is cut short/,
        ],
        [() => session.restore('kept' as never), /expected the Uint8Array that snapshot gave; got a String/],
        [
          () => session.restore(changed({}, { odd: state, ...Object.fromEntries(tensors) })),
          /has no state "odd"/,
        ],
        [() => session.restore(changed({}, {})), /is missing; expected F32 \[1, \d+\]/],
        [
          () => session.restore(withState({ shape: [state.data.length] })),
          /is F32 \[\d+\]; expected F32 \[1, \d+\]/,
        ],
        [
          () => session.restore(withState({ data: new Float32Array(state.data.length).fill(NaN) })),
          /not finite/,
        ],
      ];
      for (const [restore, message] of wrong) {
        expect(restore).toThrow(UserError);
        expect(restore).toThrow(message);
      }
      expect(session.snapshot()).toEqual(kept);
      await other.close();
    });
  });

  describe('what streams refuse', () => {
    it('steps that are not whole, or of another type', async () => {
      const session = streamed.stream({ batch: 2 });
      const failure = (steps: unknown) => session.push(steps as never);
      await expect(failure(new Uint8Array(7))).rejects.toThrow(
        /^push: a step is \[2, 5\] = 10 numbers; got 7$/,
      );
      await expect(failure(new Uint8Array(0))).rejects.toThrow(/got 0/);
      await expect(failure(new Float32Array(10))).rejects.toThrow(
        /takes uint8, give a Uint8Array \(got a Float32Array\)/,
      );
      await expect(failure([1, 2])).rejects.toBeInstanceOf(UserError);
    });

    // Device bits computes within the call: when push returns, nothing runs any more.
    it.skipIf(device === 'bits')('calls while one is running', async () => {
      const session = streamed.stream();
      const running = session.push(spikes(1, 14));
      await expect(session.push(spikes(1, 14))).rejects.toThrow(
        /^push: the last push is still running; await it first$/,
      );
      expect(() => session.reset()).toThrow(/^reset: the last push/);
      expect(() => session.snapshot()).toThrow(/^snapshot: the last push/);
      await running;
      session.reset();
    });

    it('streams and options that there are not', () => {
      expect(() => streamed.stream({ batch: 0 })).toThrow(/^stream: batch: /);
      expect(() => streamed.stream({ lanes: 2 } as never)).toThrow(/^stream: unknown option 'lanes'/);
      expect(() => streamed.stream({ seed: 1 })).toThrow(/^stream: this network takes no noise/);
      expect(() => streamed.stream({ batch: 2 }).reset([2])).toThrow(
        /^reset: there is no stream 2; expected numbers from 0 to 1$/,
      );
    });

    it('files that hold whole sequences, and networks without time', async () => {
      expect(() => whole.stream()).toThrow(
        /^stream: this file takes whole sequences; export the network with --stream$/,
      );
      const still = await load(toOnnx(randomNetwork(denseModel({ ...input }, [4, 2]), 1)), { device });
      expect(() => still.stream()).toThrow(/^stream: this network has no time/);
      await still.close();
      await expect(still.classify(new Uint8Array(5))).rejects.toThrow(
        /^the network is closed; load it again$/,
      );
    });
  });
});
