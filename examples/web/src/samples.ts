import { contextOf, element } from './element.ts';
import type { Pad } from './pad.ts';
import { onTheme, themeNow } from './theme.ts';

const size = 28;

/** One button per digit that can be tried without drawing. @param samples 784 bytes each */
export function showSamples(samples: Uint8Array, pad: Pad): void {
  const buttons = Array.from({ length: samples.length / (size * size) }, (_, digit) => {
    const data = Float32Array.from(
      samples.subarray(digit * size * size, (digit + 1) * size * size),
      (byte) => byte / 255,
    );
    const canvas = Object.assign(document.createElement('canvas'), { width: size, height: size });
    const button = Object.assign(document.createElement('button'), { type: 'button' });
    button.setAttribute('aria-label', `Try a ${digit}`);
    button.append(canvas);
    button.addEventListener('click', () => pad.put({ width: size, height: size, data }));
    const draw = (): void => paint(contextOf(canvas), data);
    onTheme(draw);
    draw();
    return button;
  });
  element('samples', HTMLElement).replaceChildren(...buttons);
}

function paint(context: CanvasRenderingContext2D, data: Float32Array): void {
  context.clearRect(0, 0, size, size);
  context.fillStyle = themeNow().ink;
  data.forEach((ink, pixel) => {
    context.globalAlpha = ink;
    context.fillRect(pixel % size, Math.floor(pixel / size), 1, 1);
  });
}
