/** Streams on arrays that stay, as device bits takes them: shared by sessions, of any number of steps, never leaking. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toOnnx } from '../export/index.ts';
import { openBits } from '../runtime/bits/runner.ts';
import { type LoadedNetwork, load, type Output, type StreamSession } from '../runtime/index.ts';
import type { HostTensor, Runner } from '../runtime/runner.ts';
import { zeroStates } from '../runtime/states.ts';
import { streamCalls } from '../runtime/stream-calls.ts';
import { adaptiveLif, defineModel, dense, lif, readout, recurrent } from '../schemas/index.ts';
import { Random } from '../schemas/random.ts';
import { lineOf } from './support/error-line.ts';
import { randomNetwork } from './support/networks.ts';

const CHANNELS = 5;
const model = defineModel({
  input: { type: 'uint8', shape: [CHANNELS], scale: 1 },
  steps: 12,
  layers: [
    dense({ units: 9 }),
    lif(),
    recurrent({ units: 7, neuron: adaptiveLif() }),
    dense({ units: 3 }),
    readout(),
  ],
});
const bytes = toOnnx(randomNetwork(model, 4), { form: 'stream' });
const observe = ['1.lif', '2.recurrent'];
const exact = [...observe, 'logits'];

/** Numbers of steps in calls: more than are kept at once, some of them again after they were forgotten. */
const sizes = [1, 2, 3, 1, 4, 5, 6, 2, 1, 1, 7, 3];

/** Spikes of some streams, call by call. */
function chunksOf(streams: number, seed: number): Uint8Array[] {
  const random = Random.fromSeed(seed, 'spikes');
  return sizes.map((size) =>
    Uint8Array.from({ length: size * streams * CHANNELS }, () => Number(random.nextBelow(3) === 0)),
  );
}

let bits: LoadedNetwork;
let cpu: LoadedNetwork;

beforeAll(async () => {
  [bits, cpu] = (await Promise.all(
    (['bits', 'cpu'] as const).map((device) => load(bytes, { device, observe })),
  )) as [LoadedNetwork, LoadedNetwork];
});

afterAll(async () => {
  await bits.close();
  await cpu.close();
});

async function pushAll(session: StreamSession, chunks: readonly Uint8Array[]) {
  const found: Record<string, Output>[] = [];
  for (const chunk of chunks) found.push(await session.push(chunk));
  return found;
}

describe('sessions', () => {
  it.each([1, 3])('go on from calls of any number of steps, %i side by side', async (batch) => {
    const chunks = chunksOf(batch, batch);
    const [found, expected] = [
      await pushAll(bits.stream({ batch }), chunks),
      await pushAll(cpu.stream({ batch }), chunks),
    ];
    expected.forEach((call, index) => {
      for (const name of exact) expect([name, found[index]![name]]).toEqual([name, call[name]]);
    });
  });

  it('that take turns do not feel each other', async () => {
    // Of more sizes than the engine keeps programs for.
    const batches = [1, 2, 1, 3, 4, 5];
    const chunks = batches.map((batch, index) => chunksOf(batch, 30 + index));
    const alone: Record<string, Output>[][] = [];
    for (const [index, batch] of batches.entries())
      alone.push(await pushAll(bits.stream({ batch }), chunks[index]!));
    const sessions = batches.map((batch) => bits.stream({ batch }));
    for (let call = 0; call < sizes.length; call++) {
      for (const [index, session] of sessions.entries())
        expect(await session.push(chunks[index]![call]!)).toEqual(alone[index]![call]);
    }
  });

  it('give what is the caller’s to keep and to change', async () => {
    const session = bits.stream();
    const [steps, next] = chunksOf(1, 5) as [Uint8Array, Uint8Array];
    const first = await session.push(steps);
    const snapshot = session.snapshot();
    const [kept, copy] = [structuredClone(first), snapshot.slice()];
    steps.fill(9);
    const second = await session.push(next);
    expect(first).toEqual(kept);
    expect(snapshot).toEqual(copy);
    for (const { data } of [...Object.values(first), ...Object.values(second)]) data.fill(7);
    session.restore(snapshot);
    const again = await session.push(next);
    expect(again.logits).not.toEqual(second.logits);
    session.restore(snapshot);
    snapshot.fill(0);
    expect(await session.push(next)).toEqual(again);
  });

  it('leave what they were given as it is, a Buffer too', async () => {
    for (const network of [bits, cpu]) {
      const session = network.stream();
      const [first, , , second] = chunksOf(1, 9) as Uint8Array[];
      const given = Buffer.from(first!);
      await session.push(given);
      await session.push(second!);
      expect([...given]).toEqual([...first!]);
    }
  });

  it('keep their states where calls of other numbers of steps come between', async () => {
    const chunks = chunksOf(2, 6);
    const sessions = [bits.stream({ batch: 2 }), cpu.stream({ batch: 2 })];
    for (const session of sessions) {
      await session.push(chunks[0]!);
      await session.push(chunks[1]!);
      const kept = session.snapshot();
      await session.push(chunks[2]!);
      session.restore(kept);
      session.reset([1]);
      await session.push(chunks[3]!);
      await session.push(chunks[1]!);
    }
    expect(sessions[0]!.snapshot()).toEqual(sessions[1]!.snapshot());
    for (const session of sessions) session.reset();
    expect((await sessions[0]!.push(chunks[4]!)).logits).toEqual(
      (await sessions[1]!.push(chunks[4]!)).logits,
    );
  });

  it('go on after a call that failed', async () => {
    const { states = [] } = bits.description;
    const runner = await openBits(bytes, {}, 'failing.onnx');
    const plan = { input: model.input, batch: 1, outputs: ['logits'], carried: states };
    const calls = streamCalls(runner, plan, zeroStates(states, 1));
    const chunks = chunksOf(1, 7);
    calls.take(chunks[0]!, 1, {});
    const spiking = states.find(({ name }) => name.endsWith('spikes'))!.input;
    const { data } = calls.states[spiking]!;
    const before = data.slice();
    data.fill(0.5 as never);
    const membranes = structuredClone(calls.states);
    for (const [steps, count] of [
      [chunks[0]!, 1],
      [chunks[1]!, 2],
    ] as const)
      expect(await lineOf(() => calls.take(steps, count, {}))).toMatch(/numbers other than 0 and 1/);
    for (const { input } of states) expect(calls.states[input]).toEqual(membranes[input]);
    data.set(before as never);
    const expected = streamCalls(
      { ...runner, stepper: undefined } as unknown as Runner,
      plan,
      zeroStates(states, 1),
    );
    expected.take(chunks[0]!, 1, {});
    expect(calls.take(chunks[1]!, 2, {})).toEqual({
      logits: ((await expected.take(chunks[1]!, 2, {})) as Record<string, HostTensor>).logits,
    });
  });

  it('end with their network', async () => {
    const other = await load(bytes, { device: 'bits' });
    const session = other.stream();
    const [steps] = chunksOf(1, 8) as [Uint8Array];
    await session.push(steps);
    await other.close();
    await expect(session.push(steps)).rejects.toThrow(/^the network is closed; load it again$/);
  });
});

describe('steppers', () => {
  it('hold nothing of the network, though nobody releases them', async () => {
    const runner = await openBits(bytes, {}, 'memory');
    const { states = [] } = bits.description;
    const step = (steps: number): void => {
      const data = new Uint8Array(steps * 2 * CHANNELS);
      const given: HostTensor = { type: 'uint8', dims: [steps, 2, CHANNELS], data };
      runner.stepper({ input: given, ...zeroStates(states, 2) }, ['logits'], states).step();
    };
    const counts = [1, 2, 3, 4, 5, 6, 7, 8];
    counts.forEach(step);
    const { now } = runner.memory();
    for (let round = 0; round < 5; round++) counts.forEach(step);
    expect(runner.memory().now).toBeLessThanOrEqual(now);
    await runner.release();
    expect(await lineOf(() => step(1))).toBe('the network is closed; load it again');
  });

  it('that were released say so', async () => {
    const runner = await openBits(bytes, {}, 'steps.onnx');
    const { states = [] } = bits.description;
    const data = new Uint8Array(CHANNELS);
    const given: HostTensor = { type: 'uint8', dims: [1, 1, CHANNELS], data };
    const stepper = runner.stepper({ input: given, ...zeroStates(states, 1) }, ['logits'], states);
    stepper.step();
    stepper.release();
    expect(await lineOf(() => stepper.step())).toBe('steps.onnx: the stepper was released');
  });

  it('tell the bytes that a call takes', async () => {
    const runner = await openBits(bytes, {}, 'bytes');
    const { states = [] } = bits.description;
    const bytesOf = (batch: number): number => {
      const data = new Uint8Array(batch * CHANNELS);
      return runner.bytes({
        input: { type: 'uint8', dims: [1, batch, CHANNELS], data },
        ...zeroStates(states, batch),
      });
    };
    const { now } = runner.memory();
    expect(bytesOf(64)).toBeGreaterThan(bytesOf(1));
    expect(runner.memory().now).toBe(now);
  });
});
