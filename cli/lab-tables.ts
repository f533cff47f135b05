import {
  type Bias,
  type Figure,
  type Figures,
  type LabNetwork,
  type Measured,
  penaltyText,
  shortWidths,
} from '../train/lab/index.ts';
import { table } from './output.ts';

const quantities = {
  bias: 'bias ‖E[ĝ] − g‖/‖g‖',
  variance: 'variance tr Cov[ĝ]/‖g‖²',
  cosine: 'cosine of E[ĝ] and g',
  alignment: 'alignment ⟨E[ĝ], g⟩/(‖g‖ √E‖ĝ‖²)',
} as const satisfies Record<keyof Figures, string>;

type Quantity = keyof typeof quantities;

const rounded = (value: number): string =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential(1)
    : value.toPrecision(3);

/** A figure with its standard error; `< x` where a bias is not resolved, `–` where the true gradient vanished. */
function shown(figure: Figure | Bias): string {
  if (!Number.isFinite(figure.value)) return '–';
  if ('resolved' in figure && !figure.resolved) return `< ${rounded(figure.limit ?? figure.value)}`;
  return figure.error === undefined
    ? rounded(figure.value)
    : `${rounded(figure.value)} ± ${rounded(figure.error)}`;
}

const titleOf = ({ widths, penalty, meanSquareRatio }: LabNetwork): string =>
  `${shortWidths(widths)}, ${penaltyText(penalty)}` +
  (meanSquareRatio === undefined ? '' : `, mean (u/σ)² ${rounded(meanSquareRatio)}`);

/** Bias and variance of every layer of a network, and the direction over all that have neurons. */
export function layerTables(network: LabNetwork): string {
  const [first] = network.estimators;
  if (!first) return '';
  const names = first.layers.map(({ layer }) => layer);
  const byLayer = (quantity: Quantity): string =>
    table([
      [quantities[quantity], ...names, 'hidden'],
      ...network.estimators.map(({ name, layers, hidden }) => [
        name,
        ...[...layers, hidden].map((figures) => shown(figures[quantity])),
      ]),
    ]);
  return [
    titleOf(network),
    byLayer('bias'),
    byLayer('variance'),
    byLayer('cosine'),
    byLayer('alignment'),
  ].join('\n\n');
}

/** Bias and variance over all layers with neurons, by network. */
export function networkTables(networks: readonly LabNetwork[]): string {
  const [first] = networks;
  if (!first) return '';
  const penalties = [...new Set(networks.map(({ penalty }) => penalty))];
  const block = (quantity: Quantity): string[] =>
    penalties.map((penalty) => {
      const group = networks.filter((network) => network.penalty === penalty);
      const title = `${quantities[quantity]}, ${penaltyText(penalty)}`;
      const rows = first.estimators.map(({ name }, index) =>
        [name].concat(group.map(({ estimators }) => shown((estimators[index] as Measured).hidden[quantity]))),
      );
      const heads = [title, ...group.map(({ widths }) => shortWidths(widths))];
      const ratios = [
        'mean (u/σ)²',
        ...group.map(({ meanSquareRatio: ratio }) => (ratio === undefined ? '–' : rounded(ratio))),
      ];
      return table([heads, ...(quantity === 'bias' ? [ratios] : []), ...rows]);
    });
  return (['bias', 'variance', 'alignment'] as const).flatMap(block).join('\n\n');
}
