import { contextOf } from './element.ts';
import type { Theme } from './theme.ts';

/** Room beside a plot for words, and below it for steps. */
const gutter = 52;
const footer = 20;

/** What can be drawn on, in units of the page: 0 … width from left to right, words left of it. */
export interface Plot {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
}

/** Makes a canvas as sharp as the screen, and empty. @param hasSteps leaves room for `showSteps` */
export function prepare(canvas: HTMLCanvasElement, { soft }: Theme, hasSteps: boolean): Plot {
  const { clientWidth, clientHeight } = canvas;
  const ratio = Math.min(3, devicePixelRatio);
  canvas.width = Math.round(clientWidth * ratio);
  canvas.height = Math.round(clientHeight * ratio);
  const context = contextOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, gutter * ratio, 0);
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.fillStyle = soft;
  return {
    context,
    width: Math.max(1, clientWidth - gutter),
    height: clientHeight - (hasSteps ? footer : 0),
  };
}

/** Words left of a plot, their middle at a height. */
export function showLabel({ context }: Plot, text: string, y: number, { soft }: Theme): void {
  context.fillStyle = soft;
  context.textAlign = 'left';
  context.fillText(text, -gutter, y);
}

/** The steps below a plot. */
export function showSteps(plot: Plot, most: number, theme: Theme): void {
  const { context, width, height } = plot;
  const y = height + footer / 2 + 1;
  showLabel(plot, 'step', y, theme);
  const parts = 4;
  for (let part = 0; part <= parts; part++) {
    context.textAlign = part === 0 ? 'left' : part === parts ? 'right' : 'center';
    context.fillText(String(Math.round((most * part) / parts)), (width * part) / parts, y);
  }
}
