import { contextOf, element } from './element.ts';
import type { Ink } from './image.ts';
import { onTheme, themeNow } from './theme.ts';

/** Pixels of the pad along each side. */
const side = 280;
const penWidth = 22;
/** How far an arrow key goes. */
const keyStep = 10;

const within = (value: number): number => Math.min(side - penWidth, Math.max(penWidth, value));

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where one draws: with a mouse, a finger, a pen or the keyboard. */
export class Pad {
  readonly #canvas = element('pad', HTMLCanvasElement);
  readonly #context = contextOf(this.#canvas);
  /** The drawing without the cursor of the keyboard. */
  readonly #ink = contextOf(Object.assign(document.createElement('canvas'), { width: side, height: side }));
  readonly #changed: () => void;
  #last: Point | undefined;
  #cursor: Point = { x: side / 2, y: side / 4 };
  #isPenDown = false;
  #hasKeyboard = false;

  /** @param changed called after every change of the drawing */
  constructor(changed: () => void) {
    this.#changed = changed;
    const canvas = this.#canvas;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.#hasKeyboard = false;
      this.#last = this.#pointOf(event);
      this.#line(this.#last, this.#last);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!this.#last) return;
      const moves = event.getCoalescedEvents();
      for (const move of moves.length > 0 ? moves : [event]) {
        const next = this.#pointOf(move);
        this.#line(this.#last, next);
        this.#last = next;
      }
    });
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      canvas.addEventListener(name, () => (this.#last = undefined));
    }
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => {
      this.#isPenDown = false;
      this.#hasKeyboard = false;
      this.#show();
    });
    onTheme(() => this.#show());
    this.#show();
  }

  /** What is drawn. */
  get ink(): Ink {
    const { data } = this.#ink.getImageData(0, 0, side, side);
    return {
      width: side,
      height: side,
      data: Float32Array.from({ length: side * side }, (_, index) => (data[4 * index + 3] as number) / 255),
    };
  }

  clear(): void {
    this.#ink.clearRect(0, 0, side, side);
    this.#show();
    this.#changed();
  }

  /** Puts ink of any size in the place of the drawing. */
  put({ width, height, data }: Ink): void {
    const pixels = new ImageData(width, height);
    data.forEach((ink, index) => (pixels.data[4 * index + 3] = Math.round(255 * ink)));
    const source = contextOf(Object.assign(document.createElement('canvas'), { width, height }));
    source.putImageData(pixels, 0, 0);
    const scale = side / Math.max(width, height);
    this.#ink.clearRect(0, 0, side, side);
    this.#ink.drawImage(
      source.canvas,
      (side - width * scale) / 2,
      (side - height * scale) / 2,
      width * scale,
      height * scale,
    );
    this.#show();
    this.#changed();
  }

  #pointOf({ offsetX, offsetY }: PointerEvent): Point {
    const { clientWidth, clientHeight } = this.#canvas;
    return { x: (offsetX * side) / clientWidth, y: (offsetY * side) / clientHeight };
  }

  #line(from: Point, to: Point): void {
    const ink = this.#ink;
    ink.lineWidth = penWidth;
    ink.lineCap = 'round';
    ink.beginPath();
    ink.moveTo(from.x, from.y);
    ink.lineTo(to.x, to.y);
    ink.stroke();
    this.#show();
    this.#changed();
  }

  #key(event: KeyboardEvent): void {
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const move = moves[event.key];
    if (move) this.#moveCursor(...move);
    else if (event.key === ' ') this.#isPenDown = !this.#isPenDown;
    else if (event.key === 'Delete' || event.key === 'Backspace') this.clear();
    else return;
    event.preventDefault();
    this.#hasKeyboard = true;
    if (event.key === ' ' && this.#isPenDown) this.#line(this.#cursor, this.#cursor);
    this.#show();
  }

  #moveCursor(right: number, down: number): void {
    const next = { x: within(this.#cursor.x + right * keyStep), y: within(this.#cursor.y + down * keyStep) };
    if (this.#isPenDown) this.#line(this.#cursor, next);
    this.#cursor = next;
  }

  /** Shows the drawing in the colour of the theme, and the cursor if the keyboard draws. */
  #show(): void {
    const context = this.#context;
    const { ink, accent } = themeNow();
    context.clearRect(0, 0, side, side);
    context.drawImage(this.#ink.canvas, 0, 0);
    context.globalCompositeOperation = 'source-in';
    context.fillStyle = ink;
    context.fillRect(0, 0, side, side);
    context.globalCompositeOperation = 'source-over';
    if (!this.#hasKeyboard) return;
    context.beginPath();
    context.arc(this.#cursor.x, this.#cursor.y, penWidth / 2, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.strokeStyle = accent;
    context.fillStyle = accent;
    if (this.#isPenDown) context.fill();
    else context.stroke();
  }
}
