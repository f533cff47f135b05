/**
 * Trains a net for some epochs and measures its steps after the first: `side.js NET thread|here THREADS EPOCHS`.
 *
 * Its last line is a `SideResult` as JSON.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { sizeOf } from '../../schemas/layer.ts';
import { stepsOf } from '../../schemas/model.ts';
import { Random } from '../../schemas/random.ts';
import { type Dataset, trainInFolder, trainInWorker } from '../../train/index.ts';
import { median, timeOn } from '../harness.ts';
import { type NetName, nets } from '../nets.ts';

/** Milliseconds, the median over epochs for those of a step. */
export interface SideResult {
  readonly wall: number;
  readonly processor: number;
  /** From the call to the end of the first epoch. */
  readonly first: number;
  /** The longest that a timer of the thread that called was late, after the first epoch. */
  readonly lag: number;
}

const [net, where, threads = '1', epochs = '6'] = process.argv.slice(2) as [NetName, 'thread' | 'here'];
const { batch, spikes, power, classes, posterior, penalty, time, hidden, model: modelOf } = nets[net];
const model = modelOf({ batch, time, hidden });

/** About two seconds of steps in an epoch. */
const stepsPerEpoch = net === 'A' ? 200 : 40;

function examples(): Dataset {
  const { shape } = model.input;
  const steps = stepsOf(model);
  const count = batch * stepsPerEpoch;
  const random = Random.fromSeed(1, 'examples');
  const inputs = Uint8Array.from({ length: count * steps * sizeOf(shape) }, () =>
    spikes ? Number(random.nextUniform() < power) : random.nextBelow(256),
  );
  const labels = Uint8Array.from({ length: count }, () => random.nextBelow(classes));
  const classNames = Array.from({ length: classes }, (_, index) => String(index));
  const scale = spikes ? 1 : 1 / 255;
  return { name: net, inputs, shape, ...(steps > 1 && { steps }), scale, labels, count, classes, classNames };
}

const resolution = 1;
const lag = monitorEventLoopDelay({ resolution });
const ends: { readonly wall: number; readonly processor: number }[] = [];
const data = examples();
const folder = await mkdtemp(join(tmpdir(), 'bitspike-train-thread-'));
const started = performance.now();
try {
  const train = where === 'thread' ? trainInWorker : trainInFolder;
  await train(join(folder, 'run'), model, data, {
    batchSize: batch,
    epochs: Number(epochs),
    posterior: { family: posterior },
    penalty,
    threads: Number(threads),
    onProgress({ step }) {
      if (step % stepsPerEpoch !== 0) return;
      ends.push({ wall: timeOn('wall'), processor: timeOn('processor') });
      if (step === stepsPerEpoch) lag.enable();
    },
  });
} finally {
  lag.disable();
  await rm(folder, { recursive: true });
}
const perStep = (clock: 'wall' | 'processor'): number =>
  median(ends.slice(1).map((end, epoch) => (end[clock] - ends[epoch]![clock]) / stepsPerEpoch));
const result: SideResult = {
  wall: perStep('wall'),
  processor: perStep('processor'),
  first: ends[0]!.wall - started,
  // The timer itself comes after that long.
  lag: lag.max / 1e6 - resolution,
};
console.log(JSON.stringify(result));
