import type { MonitorProgress, Progress, ValidationProgress } from '../train/index.ts';
import { monitorText } from './monitor.ts';
import { clock, grouped, isQuiet, percent, say, warn } from './output.ts';

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
    if (isQuiet()) return;
    if (now - this.#shown < (isTTY ? intervals.terminal : intervals.elsewhere)) return;
    this.#shown = now;
    this.#stream.write(isTTY ? `\r${text().slice(0, columns - 1)}\u001B[K` : `${text()}\n`);
  }

  /** Clears the line for what is printed next. */
  clear(): void {
    if (this.#stream.isTTY && !isQuiet()) this.#stream.write('\r\u001B[K');
  }
}

/** The loss without what is added to it, whatever the likelihood. */
const lossOf = ({ crossEntropy, negativeLogLikelihood }: Progress['reports']): number =>
  crossEntropy ?? negativeLogLikelihood ?? Number.NaN;

/** How a training stands: `epoch 3/10   loss 0.1234   accuracy 96.10 %   18,240 examples/s   0:42 left`. */
export function trainingText({
  epoch,
  epochs,
  reports,
  examplesPerSecond,
  remainingSeconds,
}: Progress): string {
  const { crossEntropy: _loss, negativeLogLikelihood: _same, accuracy, ...others } = reports;
  return [
    `epoch ${epoch + 1}/${epochs}`,
    `loss ${lossOf(reports).toFixed(4)}`,
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy)}`]),
    ...Object.entries(others).map(([name, value]) => `${name} ${value.toPrecision(4)}`),
    `${grouped(examplesPerSecond)} examples/s`,
    `${clock(remainingSeconds)} left`,
  ].join('   ');
}

/** How an epoch was judged: `epoch 3/10   validation loss 0.1234   accuracy 97.10 %   the best`. */
export const validationText = ({
  epoch,
  epochs,
  loss,
  accuracy,
  rootMeanSquareError,
  best,
}: ValidationProgress): string =>
  [
    `epoch ${epoch + 1}/${epochs}`,
    `validation loss ${loss.toFixed(4)}`,
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy)}`]),
    ...(rootMeanSquareError === undefined ? [] : [`RMSE ${rootMeanSquareError.toPrecision(4)}`]),
    ...(best ? ['the best'] : []),
  ].join('   ');

/** How a training went. */
export const trainedText = ({ epoch, reports, examplesPerSecond }: Progress, seconds: number): string =>
  `trained to the end of epoch ${epoch + 1} in ${clock(seconds)}: loss ${lossOf(reports).toFixed(4)}, ` +
  `${grouped(examplesPerSecond)} examples/s`;

export interface Trained<Result> {
  readonly result: Result;
  /** After the last step; undefined where there was none to do. */
  readonly last: Progress | undefined;
  /** After the epochs that ended here, where the network was judged. */
  readonly validation: readonly ValidationProgress[];
  /** Of the steps that were looked at here. */
  readonly monitored: readonly MonitorProgress[];
  readonly seconds: number;
}

/**
 * Runs a training and shows how it stands.
 *
 * @param remark something to say besides, for good, once it is known
 */
export async function showTraining<Result>(
  train: (
    onProgress: (progress: Progress) => void,
    onValidation: (figures: ValidationProgress) => void,
    onMonitor: (figures: MonitorProgress) => void,
  ) => Promise<Result>,
  remark: (progress: Progress) => string | undefined = () => undefined,
): Promise<Trained<Result>> {
  const line = new ProgressLine();
  const started = performance.now();
  let last: Progress | undefined;
  const validation: ValidationProgress[] = [];
  const monitored: MonitorProgress[] = [];
  try {
    const result = await train(
      (progress) => {
        last = progress;
        const said = remark(progress);
        if (said !== undefined) {
          line.clear();
          say(said);
        }
        line.show(() => trainingText(progress));
      },
      (figures) => {
        validation.push(figures);
        line.clear();
        say(validationText(figures));
      },
      (figures) => {
        monitored.push(figures);
        line.clear();
        say(monitorText(figures));
        figures.warnings.forEach(warn);
      },
    );
    return { result, last, validation, monitored, seconds: (performance.now() - started) / 1000 };
  } finally {
    line.clear();
  }
}
