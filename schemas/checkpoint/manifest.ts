import { createHash } from 'node:crypto';
import { z } from 'zod';
import { UserError, reasonOf } from '../errors.ts';

/** Lists the files of a checkpoint; written last, so that where it stands everything stands. */
export const manifestName = 'manifest.json';

const version = 1;

/** Lower case only: Windows and macOS take `A` and `a` for one file. Its device names are left out. */
const fileName = /^(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))(?!.*\.$)[a-z0-9][a-z0-9._-]{0,99}$/;

const manifestSchema = z.strictObject({
  format: z.literal('bitspike checkpoint'),
  version: z.literal(version),
  step: z.int().nonnegative(),
  files: z.record(
    z.string().regex(fileName),
    z.strictObject({ bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** A checkpoint that is not as it was saved. */
export class DamageError extends UserError {}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Throws a UserError unless every system can hold a file of that name beside the manifest. */
export function checkFileName(name: string): void {
  if (!fileName.test(name) || name === manifestName) {
    throw new UserError(
      `checkpoint file ${JSON.stringify(name)}: expected a name of a-z, 0-9, '.', '_' and '-', other than ${manifestName}`,
    );
  }
}

/** The manifest of these files, as the bytes of its own file; their order changes nothing. */
export function encodeManifest(step: number, files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const manifest: Manifest = { format: 'bitspike checkpoint', version, step, files: {} };
  for (const [name, bytes] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    manifest.files[name] = { bytes: bytes.length, sha256: sha256(bytes) };
  }
  return new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Reads a manifest.
 *
 * @throws DamageError where it is none; UserError where another version of bitspike wrote it.
 */
export function decodeManifest(bytes: Uint8Array, file: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new DamageError(`${file}: damaged, not sound JSON: ${reasonOf(error)}`, { cause: error });
  }
  const { data: other } = z
    .object({ format: manifestSchema.shape.format, version: z.number() })
    .safeParse(json);
  if (other !== undefined && other.version !== version) {
    throw new UserError(
      `${file}: version is ${other.version}; this bitspike reads version ${version}; use the one that saved it`,
    );
  }
  const { data, error } = manifestSchema.safeParse(json);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw new DamageError(`${file}: damaged, ${issue?.path.join('.') || 'its fields'}: ${issue?.message}`);
}
