import type { FiringFigures, LayerFigures } from './monitor.ts';

/** Something that is wrong with a layer. */
export interface LayerWarning {
  /** The same for the same trouble of the same layer. */
  readonly key: string;
  /** What is wrong, where, and what to do. */
  readonly text: string;
}

/** From which part of the time on a layer fires too much, and from which part of its units on too many are dead. */
const TOO_OFTEN = 0.98;
const TOO_MANY = 0.9;

/** Gradients of weights that differ by more than this factor are out of proportion. */
const APART = 1000;

/** `3.residual.0.conv2d` → `layer 3.residual.0 (conv2d)` */
export function placeText(name: string): string {
  const dot = name.lastIndexOf('.');
  return `layer ${name.slice(0, dot)} (${name.slice(dot + 1)})`;
}

const percent = (part: number): string => `${Math.floor(part * 100)} %`;

/** What is wrong with how a layer fires, the worst of it. */
function firingTrouble({ rate, silent, saturated }: FiringFigures): [key: string, text: string] | undefined {
  const wake = 'lower its threshold or raise its gain (initialGain)';
  const calm = 'raise its threshold or lower its gain (initialGain)';
  if (rate === 0) return ['silent', `never fires: ${wake}`];
  if (rate >= TOO_OFTEN) return ['saturated', `fires at ${percent(rate)} of all times: ${calm}`];
  if (silent >= TOO_MANY) return ['silent', `has ${percent(silent)} of units that never fire: ${wake}`];
  if (saturated >= TOO_MANY)
    return ['saturated', `has ${percent(saturated)} of units that always fire: ${calm}`];
  return undefined;
}

/** How long the gradients of a layer's weights are together. */
const normOf = ({ gradients = {} }: LayerFigures): number => Math.hypot(...Object.values(gradients));

/** What is wrong with the gradients of weights, held against the last layer that has some. */
function gradientTroubles(layers: readonly LayerFigures[]): LayerWarning[] {
  const weighted = layers.filter(({ gradients }) => gradients);
  const last = weighted.at(-1);
  if (!last) return [];
  return weighted.flatMap((each) => {
    const at = placeText(each.layer);
    const warning = (text: string): LayerWarning[] => [{ key: `${each.layer} gradient`, text }];
    const [norm, reference] = [normOf(each), normOf(last)];
    if (!Number.isFinite(norm)) return warning(`the gradient of ${at} is ${norm}: lower the learning rate`);
    if (norm === 0) {
      // A layer that never fires has been named, and is the reason.
      return layers.some(({ firing }) => firing?.rate === 0)
        ? []
        : warning(
            `no gradient reaches ${at}: bring neurons after it nearer to their thresholds (initialGain)`,
          );
    }
    const times = Math.floor(Math.max(norm / reference, reference / norm)).toLocaleString('en-US');
    const than = `than that of ${placeText(last.layer)}`;
    if (norm * APART <= reference) {
      return warning(
        `the gradient of ${at} is ${times} times smaller ${than}: bring neurons nearer to their thresholds (penalty) or put residual() around layers`,
      );
    }
    return norm >= reference * APART && reference > 0
      ? warning(`the gradient of ${at} is ${times} times larger ${than}: clip it (clipNorm)`)
      : [];
  });
}

/** What is wrong with the layers of a network in a step of its training. */
export function warningsOf(layers: readonly LayerFigures[]): LayerWarning[] {
  const firing = layers.flatMap((each) => {
    const trouble = each.firing && firingTrouble(each.firing);
    return trouble
      ? [{ key: `${each.layer} ${trouble[0]}`, text: `${placeText(each.layer)} ${trouble[1]}` }]
      : [];
  });
  return [...firing, ...gradientTroubles(layers)];
}
