import type { Family } from '../schemas/posterior.ts';
import type { Figures, Networks } from './freeze-figures.ts';
import { percent, table } from './output.ts';
import type { Trained } from './trained.ts';

/** `Bernoulli at temperature 0.05` */
export function familyText({ posterior, noise: { noiseScale } }: Trained): string {
  const kind =
    posterior.family === 'bernoulli'
      ? `Bernoulli at temperature ${posterior.temperature ?? 1}`
      : `Gaussian, one deviation per ${posterior.scale}`;
  return noiseScale === 1 ? kind : `${kind}, trained to the end at noise scale ${noiseScale}`;
}

const namesOf = ({ family }: Family, count: number): Record<keyof Networks, string> => {
  const mean = family === 'bernoulli' ? 'frozen mean' : 'frozen mean, binarised';
  return {
    noisy: `noisy, ${count === 1 ? 'one draw' : `${count} draws`}`,
    real: 'frozen mean, real weights',
    recalibratedReal: '  recalibrated',
    mean,
    recalibratedMean: '  recalibrated',
    sample: 'one sample',
    samples: count === 1 ? 'ensemble of one' : `${count} samples`,
  };
};

const figureNames: Readonly<Record<keyof Figures, string>> = {
  accuracy: 'accuracy',
  negativeLogLikelihood: 'NLL in nats',
  calibrationError: 'ECE',
};

const shown = (figure: keyof Figures, figures: Figures): string =>
  figure === 'negativeLogLikelihood' ? figures[figure].toFixed(4) : percent(figures[figure]);

const keysOf = <Key extends string>(record: Readonly<Record<Key, unknown>>): Key[] =>
  Object.keys(record) as Key[];

/** A row for each network, before and after freezing. */
export function networksTable(of: Family, networks: Networks, count: number): string {
  const figures = keysOf(figureNames);
  const names = namesOf(of, count);
  return table([
    ['network', ...figures.map((figure) => figureNames[figure])],
    ...keysOf(names).flatMap((name) => {
      const found = networks[name];
      return found ? [[names[name], ...figures.map((figure) => shown(figure, found))]] : [];
    }),
  ]);
}

/** A table for each figure, with a row for each temperature. */
export function coolingTables(
  of: Family,
  rows: readonly { readonly temperature: number; readonly networks: Networks }[],
  count: number,
): string {
  const names = namesOf(of, count);
  const columns = keysOf(names).filter((name) => rows[0]?.networks[name]);
  const dial = of.family === 'bernoulli' ? 'temperature' : 'noise scale';
  return keysOf(figureNames)
    .map(
      (figure) =>
        `${figureNames[figure]}\n${table([
          [dial, ...columns.map((name) => names[name])],
          ...rows.map(({ temperature, networks }) => [
            String(temperature),
            ...columns.map((name) => shown(figure, networks[name] as Figures)),
          ]),
        ])}`,
    )
    .join('\n\n');
}

/** How many characters the longest bar has. */
const BAR = 40;

/** How sure the signs are: the part of all weights in each interval of P(w > 0). */
export function signsTable(signs: readonly number[]): string {
  const most = Math.max(...signs);
  const rows = signs.map((part, bin) => [
    `${(bin / signs.length).toFixed(2)} – ${((bin + 1) / signs.length).toFixed(2)}`,
    percent(part),
  ]);
  const bars = signs.map((part) => '█'.repeat(Math.round((BAR * part) / most)));
  const [head, ...lines] = table([['P(w > 0)', 'of all weights'], ...rows]).split('\n');
  return [head, ...lines.map((line, bin) => `${line}   ${bars[bin]}`.trimEnd())].join('\n');
}
