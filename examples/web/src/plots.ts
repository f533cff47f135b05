import { prepare, showLabel, showSteps } from './axes.ts';
import { contextOf, element } from './element.ts';
import type { History } from './history.ts';
import { type Theme, themeNow } from './theme.ts';

const raster = element('raster', HTMLCanvasElement);
const membranes = element('membranes', HTMLCanvasElement);
const belief = element('belief', HTMLCanvasElement);
const eye = contextOf(element('eye', HTMLCanvasElement));

/** Draws all that has happened so far. */
export function plot(history: History): void {
  const theme = themeNow();
  plotEye(history, theme);
  plotRaster(history, theme);
  plotMembranes(history, theme);
  plotBelief(history, theme);
}

function plotEye({ input }: History, { ink }: Theme): void {
  eye.clearRect(0, 0, 28, 28);
  eye.fillStyle = ink;
  input?.forEach((fires, pixel) => {
    if (fires) eye.fillRect(pixel % 28, Math.floor(pixel / 28), 1, 1);
  });
}

/** One column per step, one row per neuron, the first layer above the second. */
function plotRaster({ layers, most }: History, theme: Theme): void {
  const { ink, accent, line } = theme;
  const plot = prepare(raster, theme, true);
  const { context, width, height } = plot;
  showSteps(plot, most, theme);
  const gap = 10;
  const rows = layers.reduce((sum, { units }) => sum + units, 0);
  const [cellWidth, cellHeight] = [width / most, (height - gap) / rows];
  let top = 0;
  layers.forEach(({ units, spikes }, layer) => {
    context.fillStyle = layer === 0 ? ink : accent;
    spikes.forEach((step, at) => {
      step.forEach((fires, unit) => {
        if (!fires) return;
        context.fillRect(
          at * cellWidth,
          top + unit * cellHeight,
          Math.max(1.5, cellWidth - 1),
          Math.max(1, cellHeight - 0.3),
        );
      });
    });
    showLabel(plot, `layer ${layer + 1}`, top + (units * cellHeight) / 2, theme);
    top += units * cellHeight;
    if (layer === 0) {
      context.fillStyle = line;
      context.fillRect(0, top + gap / 2 - 0.5, width, 1);
    }
    top += gap;
  });
}

/** The membranes of the liveliest neurons of the last layer: those that begin and cease to fire most often. */
function plotMembranes({ layers, most }: History, theme: Theme): void {
  const { accent, soft, line } = theme;
  const plot = prepare(membranes, theme, false);
  const { context, width, height } = plot;
  const layer = layers.at(-1);
  if (!layer || layer.membranes.length === 0) return;
  const { spikes, threshold } = layer;
  const changes = (unit: number): number =>
    spikes.filter((step, at) => at > 0 && step[unit] !== spikes[at - 1]?.[unit]).length;
  const liveliest = Array.from({ length: layer.units }, (_, unit) => ({ unit, count: changes(unit) }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 3);
  const own = height / 3;
  liveliest.forEach(({ unit }, place) => {
    const values = layer.membranes.map((step) => step[unit] as number);
    showLabel(plot, `no. ${unit + 1}`, own * (place + 0.5), theme);
    const [low, high] = [Math.min(-threshold, ...values), Math.max(1.2 * threshold, ...values)];
    const y = (value: number): number => own * (place + 0.92 - (0.84 * (value - low)) / (high - low));
    context.lineWidth = 1;
    context.strokeStyle = soft;
    context.setLineDash([3, 4]);
    context.beginPath();
    context.moveTo(0, y(threshold));
    context.lineTo(width, y(threshold));
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 1.5;
    context.strokeStyle = accent;
    context.beginPath();
    values.forEach((value, step) => {
      const x = ((step + 0.5) * width) / most;
      // The membrane that is left after a spike does not show it: a stroke up to the top does.
      if (spikes[step]?.[unit]) context.lineTo(x, own * (place + 0.08));
      context.lineTo(x, y(value));
    });
    context.stroke();
    if (place > 0) {
      context.fillStyle = line;
      context.fillRect(0, own * place, width, 1);
    }
  });
}

/** The probability of every class after each step; the likeliest stands out. */
function plotBelief({ probabilities, most }: History, theme: Theme): void {
  const { accent, soft, line } = theme;
  const plot = prepare(belief, theme, true);
  const { context, width, height } = plot;
  showSteps(plot, most, theme);
  showLabel(plot, '100 %', 7, theme);
  showLabel(plot, '0 %', height - 6, theme);
  context.fillStyle = line;
  context.fillRect(0, height - 1, width, 1);
  const last = probabilities.at(-1);
  if (!last) return;
  const likeliest = last.indexOf(Math.max(...last));
  const order = [...last.keys()].filter((label) => label !== likeliest);
  for (const label of [...order, likeliest]) {
    context.lineWidth = label === likeliest ? 2 : 1;
    context.strokeStyle = label === likeliest ? accent : soft;
    context.globalAlpha = label === likeliest ? 1 : 0.45;
    context.beginPath();
    probabilities.forEach((step, at) => {
      context.lineTo(((at + 0.5) * width) / most, (height - 6) * (1 - (step[label] as number)) + 3);
    });
    context.stroke();
  }
  context.globalAlpha = 1;
}
