/**
 * One step of Adam over a run of numbers, in one pass over memory, four numbers at a time:
 *
 *     first ← β₁ first + g     second ← β₂ second + g²     value ← value − rate · first/(√second + ε)
 *
 * Pointers are byte offsets into the memory. `count` is rounded up to a multiple of four: what lies behind must
 * be padding.
 */
export function adam(
  value: usize,
  first: usize,
  second: usize,
  gradient: usize,
  count: usize,
  beta1: f32,
  beta2: f32,
  rate: f32,
  epsilon: f32,
): void {
  const keepFirst = f32x4.splat(beta1);
  const keepSecond = f32x4.splat(beta2);
  const rates = f32x4.splat(rate);
  const epsilons = f32x4.splat(epsilon);
  const end = count * 4;
  for (let at: usize = 0; at < end; at += 16) {
    const g = v128.load(gradient + at);
    const m = f32x4.add(f32x4.mul(v128.load(first + at), keepFirst), g);
    const v = f32x4.add(f32x4.mul(v128.load(second + at), keepSecond), f32x4.mul(g, g));
    const direction = f32x4.div(m, f32x4.add(f32x4.sqrt(v), epsilons));
    v128.store(first + at, m);
    v128.store(second + at, v);
    v128.store(value + at, f32x4.sub(v128.load(value + at), f32x4.mul(direction, rates)));
  }
}
