/** Checkpoints on disk, in Node: `import { loadCheckpoint } from 'bitspike/checkpoint'`. */
export {
  type Checkpoint,
  type CheckpointFolder,
  type LoadOptions,
  listCheckpoints,
  loadCheckpoint,
  readCheckpoint,
} from './load.ts';
export {
  decodePosterior,
  encodePosterior,
  loadPosterior,
  type SavedPosterior,
  savePosterior,
  type TrainingRecord,
} from './posterior.ts';
export { type SaveOptions, saveCheckpoint } from './save.ts';
