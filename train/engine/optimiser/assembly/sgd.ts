/**
 * One step of gradient descent with momentum over a run of numbers, in one pass, four numbers at a time:
 *
 *     velocity ← momentum · velocity + g     value ← value − rate · (ofGradient · g + ofVelocity · velocity)
 *
 * Pointers are byte offsets into the memory. `count` is rounded up to a multiple of four: what lies behind must
 * be padding.
 */
export function sgd(
  value: usize,
  velocity: usize,
  gradient: usize,
  count: usize,
  momentum: f32,
  ofGradient: f32,
  ofVelocity: f32,
  rate: f32,
): void {
  const keep = f32x4.splat(momentum);
  const gradients = f32x4.splat(ofGradient);
  const velocities = f32x4.splat(ofVelocity);
  const rates = f32x4.splat(rate);
  const end = count * 4;
  for (let at: usize = 0; at < end; at += 16) {
    const g = v128.load(gradient + at);
    const v = f32x4.add(f32x4.mul(v128.load(velocity + at), keep), g);
    const direction = f32x4.add(f32x4.mul(g, gradients), f32x4.mul(v, velocities));
    v128.store(velocity + at, v);
    v128.store(value + at, f32x4.sub(v128.load(value + at), f32x4.mul(direction, rates)));
  }
}
