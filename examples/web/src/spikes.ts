import { encode, Random } from 'bitspike';
import type { LoadedNetwork } from 'bitspike/runtime';
import { element } from './element.ts';
import type { History, LayerHistory } from './history.ts';
import { membraneOf } from './membrane.ts';
import { plot } from './plots.ts';
import { onTheme } from './theme.ts';

/** Steps of one look; training saw a quarter of that. */
const most = 96;

/** Neurons of the network, as the history of a look wants them. */
function layersOf({ description }: LoadedNetwork): LayerHistory[] {
  return (description.states ?? [])
    .filter(({ name }) => name.endsWith('.membrane'))
    .map(({ name, dims }): LayerHistory => {
      const layer = description.model.layers[Number.parseInt(name, 10)];
      const threshold = layer && 'threshold' in layer ? Number(layer.threshold) : 1;
      return { units: Number(dims.at(-1)), threshold, spikes: [], membranes: [] };
    });
}

type Stream = ReturnType<LoadedNetwork['stream']>;

interface Look {
  readonly network: LoadedNetwork;
  readonly digit: Uint8Array;
}

/** Shows a spiking network at work: one step of the stream per frame of the screen. */
export class SpikeView {
  readonly #again = element('again', HTMLButtonElement);
  readonly #pause = element('pause', HTMLButtonElement);
  readonly #text = element('belief-text', HTMLElement);
  #history: History = { most, layers: [], probabilities: [], input: undefined };
  /** What is looked at; another look begins by replacing it. */
  #look: Look | undefined;
  #isPaused = false;

  constructor() {
    this.#again.addEventListener('click', () => {
      this.#setPaused(false);
      if (this.#look) this.look(this.#look.network, this.#look.digit);
    });
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#isPaused));
    const redraw = (): void => plot(this.#history);
    onTheme(redraw);
    addEventListener('resize', redraw);
  }

  /** Looks at a digit from the first step on. */
  look(network: LoadedNetwork, digit: Uint8Array): void {
    const look = { network, digit };
    this.#look = look;
    this.#history = { most, layers: layersOf(network), probabilities: [], input: undefined };
    this.#again.disabled = false;
    this.#pause.disabled = false;
    this.#showTraces(true);
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    void this.#run(look, isStill);
  }

  clear(): void {
    this.#look = undefined;
    this.#history = { most, layers: [], probabilities: [], input: undefined };
    this.#setPaused(false);
    this.#again.disabled = true;
    this.#pause.disabled = true;
    this.#showTraces(false);
  }

  #showTraces(isShown: boolean): void {
    element('traces', HTMLElement).hidden = !isShown;
    element('spikes-empty', HTMLElement).hidden = isShown;
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#pause.setAttribute('aria-pressed', String(isPaused));
    this.#pause.textContent = isPaused ? 'Go on' : 'Pause';
  }

  /** @param isStill shows the end alone, to who wants nothing to move */
  async #run(look: Look, isStill: boolean): Promise<void> {
    const history = this.#history;
    const stream = look.network.stream();
    const random = Random.fromSeed(1, 'spikes');
    for (let step = 0; step < most; step++) {
      if (!isStill) await this.#nextFrame(look);
      if (this.#look !== look) return;
      await takeStep(look.network, stream, look.digit, random, history);
      if (this.#look !== look) return;
      if (!isStill) this.#show(history, look.network.description.classes);
    }
    this.#show(history, look.network.description.classes);
    this.#pause.disabled = true;
  }

  /** Waits for the next frame; while the view is paused, for the first after that. */
  async #nextFrame(look: Look): Promise<void> {
    do await new Promise(requestAnimationFrame);
    while (this.#isPaused && this.#look === look);
  }

  #show(history: History, classes: readonly string[]): void {
    plot(history);
    const last = history.probabilities.at(-1);
    if (!last) return;
    const likeliest = last.indexOf(Math.max(...last));
    const part = last[likeliest] as number;
    const says = part > 0.5 ? `says ${classes[likeliest]}` : `is unsure, perhaps ${classes[likeliest]}`;
    this.#text.textContent = `After ${history.probabilities.length} steps the spiking network ${says}, ${(100 * part).toFixed(0)}\u00a0%`;
  }
}

/** Pixels become spikes, the spikes go through the network, and what it did goes into the history. */
async function takeStep(
  { description }: LoadedNetwork,
  stream: Stream,
  digit: Uint8Array,
  random: Random,
  history: History,
): Promise<void> {
  const { encoder } = description.model;
  if (encoder?.kind !== 'rate') throw new Error('the spiking network has no rate encoder');
  const image = { values: Float32Array.from(digit, (byte) => byte / 255), steps: 1, shape: [784] };
  const { values } = encode({ ...encoder, steps: 1 }, image, random);
  const outputs = await stream.push(Uint8Array.from(values));
  history.input = values;
  history.probabilities.push(outputs.probabilities?.data as Float32Array);
  const state = stream.snapshot();
  const spikes = ['1.lif', '3.lif'].map((name) => outputs[name]?.data as Uint8Array);
  history.layers.forEach((layer, index) => {
    layer.spikes.push(spikes[index] as Uint8Array);
    layer.membranes.push(membraneOf(state, `${2 * index + 1}.lif.membrane`));
  });
}
