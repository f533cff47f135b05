import type { Progress } from '../train/index.ts';
import { clock, grouped } from './output.ts';

/** In milliseconds: how often a line on a terminal changes, and how often another is added elsewhere. */
const intervals = { terminal: 100, elsewhere: 5000 };

/** One line that changes while something runs; where there is no terminal, a line every few seconds. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #shown = performance.now();

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
  }

  /** Shows the text, if the last one has stood long enough. */
  show(text: () => string): void {
    const { isTTY, columns } = this.#stream;
    const now = performance.now();
    if (now - this.#shown < (isTTY ? intervals.terminal : intervals.elsewhere)) return;
    this.#shown = now;
    this.#stream.write(isTTY ? `\r${text().slice(0, columns - 1)}\u001B[K` : `${text()}\n`);
  }

  /** Clears the line for what is printed next. */
  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001B[K');
  }
}

/** How a training stands: `epoch 3/10   loss 0.1234   18,240 examples/s   0:42 left`. */
export function trainingText({
  epoch,
  epochs,
  reports,
  examplesPerSecond,
  remainingSeconds,
}: Progress): string {
  const { crossEntropy = Number.NaN, ...others } = reports;
  return [
    `epoch ${epoch + 1}/${epochs}`,
    `loss ${crossEntropy.toFixed(4)}`,
    ...Object.entries(others).map(([name, value]) => `${name} ${value.toPrecision(4)}`),
    `${grouped(examplesPerSecond)} examples/s`,
    `${clock(remainingSeconds)} left`,
  ].join('   ');
}

/** How a training went. */
export const trainedText = ({ epochs, reports, examplesPerSecond }: Progress, seconds: number): string =>
  `trained to the end of epoch ${epochs} in ${clock(seconds)}: loss ${(reports['crossEntropy'] ?? Number.NaN).toFixed(4)}, ` +
  `${grouped(examplesPerSecond)} examples/s`;

export interface Trained<Result> {
  readonly result: Result;
  /** After the last step; undefined where there was none to do. */
  readonly last: Progress | undefined;
  readonly seconds: number;
}

/** Runs a training and shows how it stands. */
export async function showTraining<Result>(
  train: (onProgress: (progress: Progress) => void) => Promise<Result>,
): Promise<Trained<Result>> {
  const line = new ProgressLine();
  const started = performance.now();
  let last: Progress | undefined;
  try {
    const result = await train((progress) => {
      last = progress;
      line.show(() => trainingText(progress));
    });
    return { result, last, seconds: (performance.now() - started) / 1000 };
  } finally {
    line.clear();
  }
}
