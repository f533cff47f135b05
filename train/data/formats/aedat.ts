import { UserError } from '../../../schemas/errors.ts';

const packetHeaderSize = 28;
const polarityEvent = 1;
const polaritySize = 8;

/** Text before the packets; real files have some hundred bytes of it. */
const longestHeader = 1 << 16;
const headerEnd = '#!END-HEADER\r\n';

/** Polarity events of a recording, in the order of the file. */
export interface PolarityEvents {
  /** Microseconds by the camera's clock. */
  readonly times: Float64Array;
  readonly columns: Uint16Array;
  readonly rows: Uint16Array;
  /** 1 where it became brighter, 0 where it became darker. */
  readonly polarities: Uint8Array;
}

/** A packet of events of one type, all of one size. */
interface Packet {
  readonly type: number;
  readonly overflow: number;
  readonly events: number;
  /** Place of the first event. */
  readonly start: number;
}

/** Place of the first packet. @throws UserError where it is not AEDAT 3.1 */
function skipHeader(bytes: Uint8Array, file: string): number {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, longestHeader));
  const firstLine = text.slice(0, Math.max(0, text.indexOf('\r\n')));
  if (!firstLine.startsWith('#') || !firstLine.includes('!AER-DAT3.1')) {
    throw new UserError(`${file}: byte 0: no line #!AER-DAT3.1; expected an AEDAT 3.1 file`);
  }
  const end = text.indexOf(`\r\n${headerEnd}`);
  const lines = text.slice(0, Math.max(0, end)).split('\r\n');
  if (end < 0 || !lines.every((line) => line.startsWith('#'))) {
    throw new UserError(
      `${file}: its header of lines that begin with # does not end in #!END-HEADER within ${longestHeader} bytes; download it again`,
    );
  }
  return end + 2 + headerEnd.length;
}

/** The packets in order: each has a header of 28 bytes that says how many follow. */
function* packetsOf(bytes: Uint8Array, file: string): Generator<Packet> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let place = skipHeader(bytes, file);
  while (place < bytes.length) {
    const at = place;
    const refuse = (problem: string): never => {
      throw new UserError(`${file}: byte ${at}: packet ${problem}; download it again`);
    };
    if (at + packetHeaderSize > bytes.length)
      refuse(`header is cut short; expected ${packetHeaderSize} bytes`);
    const type = view.getInt16(at, true);
    const [size, timeOffset, overflow, capacity, events] = [4, 8, 12, 16, 20].map((offset) =>
      view.getInt32(at + offset, true),
    ) as [number, number, number, number, number];
    if (size < 1 || capacity < 0) refuse(`declares ${capacity} events of ${size} bytes`);
    // Both are below 2³¹, so their product may be rounded but not into what a file holds.
    if (capacity * size > bytes.length - at - packetHeaderSize) {
      refuse(`declares ${capacity} events of ${size} bytes, more than the file has left`);
    }
    if (type === polarityEvent) {
      if (size !== polaritySize || timeOffset !== 4) {
        refuse(`has polarity events of ${size} bytes with the time at ${timeOffset}; expected 8 and 4`);
      }
      if (events !== capacity)
        refuse(`declares ${events} events in the room of ${capacity}; expected as many`);
      if (overflow < 0) refuse(`declares a clock that started anew ${overflow} times`);
    }
    yield { type, overflow, events, start: at + packetHeaderSize };
    place = at + packetHeaderSize + capacity * size;
  }
}

/**
 * Reads the polarity events of an AEDAT 3.1 file, little endian; other types are passed over, and so are events
 * marked invalid.
 *
 * @param file its name, for messages
 * @throws UserError where it is another kind of file, damaged or cut short
 */
export function readAedat(bytes: Uint8Array, file: string): PolarityEvents {
  const packets = [...packetsOf(bytes, file)].filter(({ type }) => type === polarityEvent);
  const most = packets.reduce((sum, { events }) => sum + events, 0);
  const times = new Float64Array(most);
  const columns = new Uint16Array(most);
  const rows = new Uint16Array(most);
  const polarities = new Uint8Array(most);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let count = 0;
  for (const { events, start, overflow } of packets) {
    for (let place = start; place < start + polaritySize * events; place += polaritySize) {
      // Bit 0 says valid, bit 1 brighter, bits 2–16 the row, bits 17–31 the column.
      const data = view.getUint32(place, true);
      if ((data & 1) === 0) continue;
      const time = view.getInt32(place + 4, true);
      if (time < 0) {
        throw new UserError(
          `${file}: byte ${place + 4}: time ${time} µs; expected 0 or more; download it again`,
        );
      }
      times[count] = overflow * 2 ** 31 + time;
      columns[count] = data >>> 17;
      rows[count] = (data >>> 2) & 0x7fff;
      polarities[count++] = (data >>> 1) & 1;
    }
  }
  return {
    times: times.subarray(0, count),
    columns: columns.subarray(0, count),
    rows: rows.subarray(0, count),
    polarities: polarities.subarray(0, count),
  };
}
