import { version } from '../../schemas/version.ts';
import type { BatchObserver } from './batcher.ts';
import { Counter, exposition, Histogram, reading } from './exposition.ts';

const secondsBounds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const batchBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** What is read of a network when the metrics are asked for. */
export interface Gauges {
  readonly name: string;
  readonly device: string;
  readonly queueLength: number;
  readonly isReady: boolean;
}

/** The metrics of one server. */
export class ServerMetrics {
  readonly #requests = new Counter(
    'bitspike_requests_total',
    'Inference requests that were answered, by status of HTTP.',
  );
  readonly #examples = new Counter('bitspike_examples_total', 'Examples that were computed.');
  readonly #request = new Histogram(
    'bitspike_request_duration_seconds',
    'From the headers of an inference request to its answer.',
    secondsBounds,
  );
  readonly #queue = new Histogram(
    'bitspike_queue_duration_seconds',
    'From a request being understood to its batch being computed.',
    secondsBounds,
  );
  readonly #inference = new Histogram(
    'bitspike_inference_duration_seconds',
    'Computing one batch, with the way to its thread and back.',
    secondsBounds,
  );
  readonly #batch = new Histogram(
    'bitspike_batch_size',
    'Examples that were computed together.',
    batchBounds,
  );
  readonly #gauges: () => readonly Gauges[];

  constructor(gauges: () => readonly Gauges[]) {
    this.#gauges = gauges;
  }

  /** What a batcher of this network tells. */
  observerOf(model: string): BatchObserver {
    const examples = this.#examples.of({ model });
    const inference = this.#inference.of({ model });
    const batch = this.#batch.of({ model });
    return {
      computed(count, seconds) {
        examples(count);
        inference(seconds);
        batch(count);
      },
      taken: this.#queue.of({ model }),
    };
  }

  /** Tells of requests to this network that were answered, with the status of HTTP and the time in seconds. */
  answersOf(model: string): (status: number, seconds: number) => void {
    const request = this.#request.of({ model });
    const requests = new Map<number, () => void>();
    return (status, seconds) => {
      let count = requests.get(status);
      if (!count) requests.set(status, (count = this.#requests.of({ model, code: String(status) })));
      count();
      request(seconds);
    };
  }

  text(): string {
    const gauges = this.#gauges();
    const { user, system } = process.cpuUsage();
    return exposition([
      this.#requests,
      this.#examples,
      this.#request,
      this.#queue,
      this.#inference,
      this.#batch,
      reading('gauge', 'bitspike_queue_length', 'Requests that wait for a network.', () =>
        gauges.map(({ name, queueLength }) => [{ model: name }, queueLength]),
      ),
      reading('gauge', 'bitspike_ready', '1 where a network answers, 0 where it has failed.', () =>
        gauges.map(({ name, isReady }) => [{ model: name }, isReady ? 1 : 0]),
      ),
      reading('gauge', 'bitspike_info', 'What is served, and where it computes.', () =>
        gauges.map(({ name, device }) => [{ model: name, device, version }, 1]),
      ),
      reading('counter', 'process_cpu_seconds_total', 'Time of the processor, user and system.', () => [
        [{}, (user + system) / 1e6],
      ]),
      reading('gauge', 'process_resident_memory_bytes', 'Memory of the process.', () => [
        [{}, process.memoryUsage.rss()],
      ]),
      reading('gauge', 'process_start_time_seconds', 'Start of the process, since 1970.', () => [
        [{}, Math.round(performance.timeOrigin) / 1000],
      ]),
    ]);
  }
}
