export { sha256 } from '../schemas/sha256.ts';
