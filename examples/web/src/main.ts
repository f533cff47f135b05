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
  picker.showTime(on, await timeOf(networks.digits, digit));
  if (on === device && digit) spikes.look(networks.spiking, digit);
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
    picker.say(error instanceof Error ? error.message : String(error));
  }
}

element('clear', HTMLButtonElement).addEventListener('click', () => pad.clear());
takePictures(
  (ink) => pad.put(ink),
  (reason) => picker.say(reason),
);
keepOffline();

const facts = await fetchFacts();
const [first] = await Promise.all([
  networksOn(device),
  fetchSamples().then((samples) => showSamples(samples, pad)),
]);
view = new AnswerView(first.digits.description.classes, first.digits.description.layers.length, facts.doubt);
element('facts', HTMLElement).textContent =
  `On 10,000 digits that they never saw, the six networks are right ${(100 * facts.accuracy).toFixed(1)} % of the time, ` +
  `the spiking one ${(100 * facts.spikingAccuracy).toFixed(1)} %.`;
document.documentElement.dataset['ready'] = '';
await use(device);
