/** JSON that comes from outside. */
import { UserError, reasonOf } from './errors.ts';
import { defineModel, type Model, type ModelDefinition } from './model.ts';

/** @throws UserError where the text, or these bytes of UTF-8, are no JSON */
export function parseJson(text: string | Uint8Array, where: string): unknown {
  try {
    return JSON.parse(
      typeof text === 'string' ? text : new TextDecoder('utf-8', { fatal: true }).decode(text),
    );
  } catch (cause) {
    throw new UserError(`${where}: is not sound JSON: ${reasonOf(cause)}`, { cause });
  }
}

/** The model that JSON of any origin describes. @throws UserError that says where, and which layer is wrong */
export function modelOfJson(json: unknown, where: string): Model {
  try {
    // It takes nothing for granted: whatever is no definition is refused.
    return defineModel(json as ModelDefinition);
  } catch (cause) {
    if (cause instanceof UserError) throw new UserError(`${where}: ${cause.message}`, { cause });
    throw cause;
  }
}
