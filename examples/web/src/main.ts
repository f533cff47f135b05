import './no-eval.ts';
import type { Device } from 'bitspike/runtime';
import { AnswerView } from './answer.ts';
import { DevicePicker } from './devices.ts';
import { element } from './element.ts';
import { digitOf } from './image.ts';
import { fetchFacts, fetchSamples, type Networks, networksOn, timeOf } from './networks.ts';
import { keepOffline } from './offline.ts';
import { Pad } from './pad.ts';
import { takePictures } from './picture.ts';
import { showSamples } from './samples.ts';
import { SpikeView } from './spikes.ts';

/** Milliseconds without a stroke after which a drawing is taken for finished. */
const settling = 300;

const spikes = new SpikeView();
const picker = new DevicePicker((device) => void use(device));
const pad = new Pad(changed);
let device: Device = picker.first;
let networks: Networks | undefined;
let view: AnswerView | undefined;
let digit: Uint8Array | undefined;
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** The drawing is another: answers with the next frame, and looks closer once it stands still. */
function changed(): void {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  frame = requestAnimationFrame(() => {
    digit = digitOf(pad.ink);
    element('pad', HTMLCanvasElement).parentElement?.classList.toggle('inked', digit !== undefined);
    void answer();
    if (digit) timer = setTimeout(() => void settle(), settling);
    else spikes.clear();
  });
}

async function answer(): Promise<void> {
  if (!networks || !view) return;
  const asked = digit;
  if (!asked) {
    view.clear();
    return;
  }
  const [found] = await networks.digits.ensemble(asked);
  // Another drawing may have come meanwhile.
  if (found && asked === digit) view.show(found, networks.digits.description.classes);
}

/** Shows the spiking network at work, and takes the time of the other. */
async function settle(): Promise<void> {
  if (!networks || !digit) return;
  const on = device;
  const { digits, spiking } = networks;
  picker.showTime(on, await timeOf(digits, digit));
  const network = await spiking();
  if (on === device && digit) spikes.look(network, digit);
}

/** Computes on another device from now on; where it cannot be opened, all stays as it was. */
async function use(wanted: Device): Promise<void> {
  const before = device;
  device = wanted;
  picker.pick(wanted);
  picker.showTime(wanted, 'opening …');
  try {
    const opened = await networksOn(wanted);
    if (device !== wanted) return;
    networks = opened;
    picker.showTime(wanted, 'ready');
    await answer();
    await settle();
  } catch (error) {
    picker.showTime(wanted, 'not here');
    if (device !== wanted) return;
    device = before;
    picker.pick(before);
    picker.say(
      navigator.onLine ? reasonOf(error) : `You are offline, and ${wanted} has not been downloaded before.`,
    );
  }
}

const percent = (part: number): string => `${(100 * part).toFixed(1)}\u00a0%`;
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Opens what the page begins with: a digit that was drawn meanwhile is answered before all else. */
async function start(): Promise<void> {
  const [facts, opened] = await Promise.all([fetchFacts(), networksOn(device)]);
  const { classes, layers } = opened.digits.description;
  view = new AnswerView(classes, layers.length, facts.doubt);
  networks = opened;
  picker.pick(device);
  picker.showTime(device, 'ready');
  await answer();
  document.documentElement.dataset['ready'] = '';
  element('facts', HTMLElement).textContent =
    `Of 10,000 digits that they never saw, the six networks answer ${percent(facts.answered)}, and ` +
    `${percent(facts.accuracyOfAnswered)} of those right; the spiking one has ${percent(facts.spikingAccuracy)} of all right.`;
  // The rest can wait until the answer is on the screen.
  await new Promise(requestAnimationFrame);
  keepOffline();
  await opened.spiking();
  await settle();
}

element('clear', HTMLButtonElement).addEventListener('click', () => pad.clear());
takePictures(
  (ink) => pad.put(ink),
  (reason) => picker.say(reason),
);
fetchSamples()
  .then((samples) => showSamples(samples, pad))
  // The page is of use without examples.
  .catch(() => undefined);
start().catch((error: unknown) => {
  element('sentence', HTMLElement).textContent = 'The networks cannot be opened.';
  element('detail', HTMLElement).textContent = reasonOf(error);
});
