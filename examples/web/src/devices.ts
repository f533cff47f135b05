import { type Device, devices } from 'bitspike/runtime';
import { element } from './element.ts';

/** Devices that there are in browsers, the best first. */
const notes: Readonly<Record<string, string>> = {
  bits: 'bits: the toolkit’s own engine, WebAssembly on packed bits.',
  wasm: 'wasm: onnxruntime-web on the processor. A download of 14 MB, once.',
  webgpu: 'webgpu: onnxruntime-web on the graphics card. A download of 27 MB, once.',
};

const milliseconds = (time: number): string => {
  if (time < 0.1) return `${(1000 * time).toFixed(0)} µs`;
  return `${time < 10 ? time.toFixed(2) : time.toFixed(0)} ms`;
};

/** Where to compute, and how long a digit takes there. */
export class DevicePicker {
  readonly #note = element('device-note', HTMLElement);
  readonly #inputs = new Map<Device, HTMLInputElement>();
  readonly #times = new Map<Device, HTMLElement>();

  /** @param picked called with a device when the user picks it */
  constructor(picked: (device: Device) => void) {
    const choices = element('devices', HTMLElement);
    for (const name of Object.keys(notes)) {
      const device = devices.find((known) => known === name);
      if (device === undefined) continue;
      const isThere = device !== 'webgpu' || 'gpu' in navigator;
      const input = Object.assign(document.createElement('input'), {
        type: 'radio',
        name: 'device',
        value: device,
        disabled: !isThere,
      });
      input.addEventListener('change', () => picked(device));
      const time = Object.assign(document.createElement('small'), {
        textContent: isThere ? 'not tried' : 'not in this browser',
      });
      const face = document.createElement('span');
      face.append(device, time);
      const label = document.createElement('label');
      label.append(input, face);
      choices.append(label);
      this.#inputs.set(device, input);
      this.#times.set(device, time);
    }
  }

  /** The first of the devices that there are. */
  get first(): Device {
    return [...this.#inputs.keys()][0] as Device;
  }

  /** Shows what is picked. */
  pick(device: Device): void {
    const input = this.#inputs.get(device);
    if (input) input.checked = true;
    this.say(notes[device] ?? '');
  }

  say(note: string): void {
    this.#note.textContent = note;
  }

  /** @param time milliseconds per digit; text while there is none */
  showTime(device: Device, time: number | string): void {
    const place = this.#times.get(device);
    if (place) place.textContent = typeof time === 'string' ? time : milliseconds(time);
  }
}
