/**
 * Copies bits from any place in a row to the beginning of a byte; what the last byte has left over becomes 0.
 * Up to 8 bytes behind both ends are read and written.
 */
@inline
function copyBits(x: usize, from: i32, bits: i32, y: usize): void {
  // 56 bits at a time: with up to 7 that are shifted out, they fit 64.
  for (let done: i32 = 0; done < bits; done += 56) {
    const at = from + done;
    let word = load<u64>(x + (at >> 3)) >> (at & 7);
    const left = bits - done;
    word &= ((<u64>1) << min<i32>(left, 56)) - 1;
    store<u64>(y + (done >> 3), word);
  }
}

/**
 * Lays the windows of planes out as rows: what a convolution multiplies with its filters.
 *
 * @param x [planes of height × width places][levels][xBytes]: bits of a channel, or their floats
 * @param y [windows][levels][bytes]: the bits `from` … `from + bits` of every place of a window, each place at the
 *   beginning of a byte, and 0 outside the plane
 * @param first number of the first window, counted over all planes
 * @param count windows to lay out
 */
export function copyPatches(
  x: usize,
  y: usize,
  first: i32,
  count: i32,
  height: i32,
  width: i32,
  down: i32,
  across: i32,
  tall: i32,
  wide: i32,
  stepDown: i32,
  stepAcross: i32,
  before: i32,
  left: i32,
  levels: i32,
  xBytes: usize,
  bytes: usize,
  from: i32,
  bits: i32,
): void {
  const each = <usize>((bits + 7) >> 3);
  const isAligned = !(from & 7) && !(bits & 7);
  const skipped = <usize>(from >> 3);
  // Divided once, and counted from there.
  let column = first % across;
  let row = (first / across) % down;
  let plane = first / (across * down);
  for (let index = 0; index < count; index++) {
    for (let level = 0; level < levels; level++, y += bytes) {
      let target = y;
      for (let i = 0; i < tall; i++) {
        const atRow = row * stepDown - before + i;
        const isInside = <u32>atRow < <u32>height;
        const line = x + ((plane * height + atRow) * width * levels + level) * xBytes;
        for (let j = 0; j < wide; j++, target += each) {
          const atColumn = column * stepAcross - left + j;
          if (isInside && <u32>atColumn < <u32>width) {
            const place = line + atColumn * levels * xBytes;
            if (isAligned) {
              for (let at: usize = 0; at < each; at += 8) store<u64>(target + at, load<u64>(place + skipped + at));
            } else copyBits(place, from, bits, target);
          } else {
            for (let at: usize = 0; at < each; at += 8) store<u64>(target + at, 0);
          }
        }
      }
      // What the last copy wrote beyond its end, and what is behind it.
      for (const end = y + bytes; target < end; target += 8) store<u64>(target, 0);
    }
    if (++column == across) {
      column = 0;
      if (++row == down) {
        row = 0;
        plane++;
      }
    }
  }
}

/** Bits [rows][bytes] as bytes [rows][count], `amount` for a set bit and 0 for another. */
export function unpackBits(x: usize, y: usize, rows: i32, count: usize, bytes: usize, amount: i32): void {
  for (let row = 0; row < rows; row++, x += bytes, y += count) {
    for (let at: usize = 0; at < count; at++) {
      store<u8>(y + at, ((load<u8>(x + (at >> 3)) >> <u8>(at & 7)) & 1) * <u8>amount);
    }
  }
}

/**
 * Joins rows into longer ones, bit by bit: `parts` rows of `bits` each follow one another without a gap.
 *
 * @param x bits [rows · parts][xBytes]
 * @param y bits [rows][bytes], zeros before
 */
export function joinRows(x: usize, y: usize, rows: i32, parts: i32, bits: i32, xBytes: usize, bytes: usize): void {
  for (let row = 0; row < rows; row++, y += bytes) {
    for (let at: usize = 0; at < bytes; at++) store<u8>(y + at, 0);
    for (let part = 0; part < parts; part++, x += xBytes) {
      for (let done: i32 = 0; done < bits; done += 56) {
        const word = load<u64>(x + (done >> 3)) & (((<u64>1) << min<i32>(bits - done, 56)) - 1);
        const place = part * bits + done;
        const target = y + (place >> 3);
        store<u64>(target, load<u64>(target) | (word << (place & 7)));
      }
    }
  }
}

/** All bytes joined by or: what bits any of them has. Behind them, 16 may be read. */
export function unionOfBytes(x: usize, count: usize): i32 {
  let found: u64 = 0;
  let at: usize = 0;
  for (; at + 8 <= count; at += 8) found |= load<u64>(x + at);
  for (; at < count; at++) found |= load<u8>(x + at);
  found |= found >> 32;
  found |= found >> 16;
  found |= found >> 8;
  return <i32>(found & 255);
}
