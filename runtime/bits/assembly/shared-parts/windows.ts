const OR = 0;
const SUM = 1;
const MAXIMUM = 2;

/** Bytes that are joined at once: four int32, or one where there are no vectors. */
const WIDTH: usize = ASC_FEATURE_SIMD ? 16 : 4;

@inline
function joined<Part>(how: i32, a: Part, b: Part): Part {
  if (isVector<Part>()) {
    if (how == OR) return v128.or(a, b);
    return how == SUM ? i32x4.add(a, b) : i32x4.max_s(a, b);
  }
  if (how == OR) return a | b;
  return how == SUM ? a + b : max(a, b);
}

/** A part of a window of `tall` × `wide` places, which are `bytes` long in lines of `line` bytes. */
@inline
function joinPart<Part>(how: i32, x: usize, y: usize, tall: i32, wide: i32, line: usize, bytes: usize): void {
  let found = load<Part>(x);
  for (let i = 0; i < tall; i++) {
    for (let j = 0; j < wide; j++) {
      if (i | j) found = joined<Part>(how, found, load<Part>(x + i * line + j * bytes));
    }
  }
  store<Part>(y, found);
}

@inline
function join(
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
  const line = width * bytes;
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < down; row++) {
      for (let column = 0; column < across; column++, y += bytes) {
        const first = x + (plane * height + row * stepDown) * line + column * stepAcross * bytes;
        for (let at: usize = 0; at < bytes; at += WIDTH) {
          if (ASC_FEATURE_SIMD) joinPart<v128>(how, first + at, y + at, tall, wide, line, bytes);
          else joinPart<i32>(how, first + at, y + at, tall, wide, line, bytes);
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
  join(OR, x, y, planes, height, width, down, across, tall, wide, stepDown, stepAcross, bytes);
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
  join(SUM, x, y, planes, height, width, down, across, tall, wide, stepDown, stepAcross, bytes);
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
  join(MAXIMUM, x, y, planes, height, width, down, across, tall, wide, stepDown, stepAcross, bytes);
}
