import { UserError } from '../../../schemas/errors.ts';
import { type Recordings, checkRecordings } from '../recordings.ts';

/** Of all recordings together: what arrays of events can hold and offsets can name. */
const mostEvents = 2 ** 30;

const byTime =
  (times: Float32Array) =>
  (a: number, b: number): number =>
    times[a]! - times[b]!;

/** Gathers recordings event by event, in arrays that grow. */
export class RecordingCollector {
  readonly #name: string;
  readonly #shape: readonly number[];
  #times = new Float32Array(1 << 16);
  #channels: Uint16Array | Uint32Array;
  #events = 0;
  readonly #offsets = [0];
  readonly #labels: number[] = [];
  readonly #properties = new Map<string, number[]>();

  /** @param shape of all channels */
  constructor(name: string, shape: readonly number[]) {
    this.#name = name;
    this.#shape = shape;
    const size = shape.reduce((product, axis) => product * axis, 1);
    this.#channels = size <= 2 ** 16 ? new Uint16Array(1 << 16) : new Uint32Array(1 << 16);
  }

  /** Adds an event to the recording that is open. @param time seconds since the recording's start */
  add(time: number, channel: number): void {
    if (this.#events === this.#times.length) this.#grow();
    this.#times[this.#events] = time;
    this.#channels[this.#events++] = channel;
  }

  /** Ends a recording and opens the next. Its events are put in order of time where they have none. */
  end(label: number, properties: Readonly<Record<string, number>> = {}): void {
    this.#sort(this.#offsets.at(-1)!);
    this.#offsets.push(this.#events);
    this.#labels.push(label);
    for (const [name, value] of Object.entries(properties)) {
      const values = this.#properties.get(name);
      if (values === undefined) this.#properties.set(name, [value]);
      else values.push(value);
    }
  }

  /** @throws UserError where the recordings do not fit together, or there are none */
  finish(classNames: readonly string[]): Recordings {
    return checkRecordings({
      name: this.#name,
      times: this.#times.subarray(0, this.#events),
      channels: this.#channels.subarray(0, this.#events),
      shape: this.#shape,
      offsets: Uint32Array.from(this.#offsets),
      labels: Uint8Array.from(this.#labels),
      count: this.#labels.length,
      classes: classNames.length,
      classNames,
      properties: Object.fromEntries(this.#properties),
    });
  }

  #grow(): void {
    const length = Math.min(2 * this.#events, mostEvents);
    if (this.#events === mostEvents) {
      throw new UserError(
        `data ${this.#name}: has more than ${mostEvents} events in recording ${this.#labels.length} and before; use a part of it`,
      );
    }
    const times = new Float32Array(length);
    const channels =
      this.#channels instanceof Uint16Array ? new Uint16Array(length) : new Uint32Array(length);
    times.set(this.#times);
    channels.set(this.#channels);
    this.#times = times;
    this.#channels = channels;
  }

  /** Sorts the events from `start` on by time; events of one time keep their order. */
  #sort(start: number): void {
    const times = this.#times.subarray(start, this.#events);
    const channels = this.#channels.subarray(start, this.#events);
    if (times.every((time, event) => event === 0 || time >= times[event - 1]!)) return;
    const order = Uint32Array.from(times, (_, event) => event).sort(byTime(times));
    times.set(Float32Array.from(order, (event) => times[event]!));
    channels.set(Uint32Array.from(order, (event) => channels[event]!));
  }
}
