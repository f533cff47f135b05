/** A plugin of TypeDoc: modules are called as they are imported. */
import { Converter, ReflectionKind } from 'typedoc';

const names = {
  schemas: 'bitspike',
  train: 'bitspike/train',
  export: 'bitspike/export',
  runtime: 'bitspike/runtime',
  'runtime/serve': 'bitspike/serve',
  'schemas/checkpoint': 'bitspike/checkpoint',
};

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const name = names[module.name];
      if (name === undefined) throw new Error(`${module.name} is no entry of the package`);
      module.name = name;
    }
  });
}
