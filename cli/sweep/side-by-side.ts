import { setMaxListeners } from 'node:events';

/**
 * Does tasks side by side, at most so many at a time, begun in their order. Where one fails, or the signal comes, no more
 * are begun; those under way are told by the signal that they are given, and waited for.
 *
 * @returns what came of each, in their order
 * @throws what the first to fail failed with
 */
export async function sideBySide<Task, Result>(
  tasks: readonly Task[],
  most: number,
  signal: AbortSignal,
  run: (task: Task, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  // Each task under way listens.
  setMaxListeners(0, either);
  // All lanes take from here, each task once.
  const left = tasks.entries();
  const lane = async (): Promise<void> => {
    try {
      for (const [index, task] of left) {
        either.throwIfAborted();
        results[index] = await run(task, either);
      }
    } catch (error) {
      failed.abort(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, tasks.length) }, lane));
  failed.signal.throwIfAborted();
  return results;
}
