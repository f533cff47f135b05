@inline
const OR = 0;
@inline
const SUM = 1;
@inline
const MAXIMUM = 2;

@inline
function joined(how: i32, a: v128, b: v128): v128 {
  if (how == OR) return v128.or(a, b);
  return how == SUM ? i32x4.add(a, b) : i32x4.max_s(a, b);
}

@inline
function pool(
  how: i32,
  x: usize,
  y: usize,
  planes: i32,
  height: i32,
  width: i32,
  down: i32,
  across: i32,
  tall: i32,
  wide: i32,
  stepDown: i32,
  stepAcross: i32,
  bytes: usize,
): void {
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < down; row++) {
      for (let column = 0; column < across; column++, y += bytes) {
        const first = x + ((plane * height + row * stepDown) * width + column * stepAcross) * bytes;
        for (let at: usize = 0; at < bytes; at += 16) {
          let found = v128.load(first + at);
          for (let i = 0; i < tall; i++) {
            for (let j = 0; j < wide; j++) {
              if (i | j) found = joined(how, found, v128.load(first + (i * width + j) * bytes + at));
            }
          }
          v128.store(y + at, found);
        }
      }
    }
  }
}

/**
 * The maximum of windows of spikes. Planes are [height][width][bytes] with their channels last, what is made of them
 * [down][across][bytes]; windows are `tall` × `wide` and lie `stepDown` and `stepAcross` apart.
 *
 * @param bytes of one place, a multiple of 16
 */
export function orOfWindows(
  x: usize,
  y: usize,
  planes: i32,
  height: i32,
  width: i32,
  down: i32,
  across: i32,
  tall: i32,
  wide: i32,
  stepDown: i32,
  stepAcross: i32,
  bytes: usize,
): void {
  pool(OR, x, y, planes, height, width, down, across, tall, wide, stepDown, stepAcross, bytes);
}

/** The sums of windows of int32. */
export function sumOfWindows(
  x: usize,
  y: usize,
  planes: i32,
  height: i32,
  width: i32,
  down: i32,
  across: i32,
  tall: i32,
  wide: i32,
  stepDown: i32,
  stepAcross: i32,
  bytes: usize,
): void {
  pool(SUM, x, y, planes, height, width, down, across, tall, wide, stepDown, stepAcross, bytes);
}

/** The maxima of windows of int32. */
export function maximumOfWindows(
  x: usize,
  y: usize,
  planes: i32,
  height: i32,
  width: i32,
  down: i32,
  across: i32,
  tall: i32,
  wide: i32,
  stepDown: i32,
  stepAcross: i32,
  bytes: usize,
): void {
  pool(MAXIMUM, x, y, planes, height, width, down, across, tall, wide, stepDown, stepAcross, bytes);
}
