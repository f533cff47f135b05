/**
 * A plugin of TypeDoc: what an option is for stands in its schema, `.meta({ description })`, where validation and
 * editors find it; the reference shows the same words, and the default. Types that are read off a schema,
 * `z.output<typeof schema>`, are shown as what they come to.
 */
import {
  Comment,
  Converter,
  DeclarationReflection,
  ReflectionKind,
  ReflectionType,
  UnionType,
} from 'typedoc';
import ts from 'typescript';

/** The property of this name that an object literal in the call `.meta(…)` or `.default(…)` has. */
function textOf(declaration) {
  let description;
  let standard;
  const visit = (node) => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name } = node.expression;
      const [first] = node.arguments;
      if (name.text === 'meta' && first && ts.isObjectLiteralExpression(first)) {
        for (const { name: key, initializer } of first.properties)
          if (key?.getText() === 'description' && initializer && ts.isStringLiteralLike(initializer))
            description ??= initializer.text;
      }
      if (name.text === 'default') standard ??= first?.getText().replace(/\s+/g, ' ');
      // Along the chain of calls: what stands inside of arguments is of another option.
      visit(node.expression.expression);
    }
  };
  visit(declaration.initializer);
  return { description, standard };
}

/** A type without its name: objects with their properties, unions with their members. */
function plain(context, type) {
  if (type.isUnion()) return new UnionType(type.types.map((each) => plain(context, each)));
  const isObject = (type.flags & ts.TypeFlags.Object) !== 0 && !context.checker.isArrayLikeType(type);
  if (!isObject) return context.converter.convertType(context, type);
  const literal = new DeclarationReflection('__type', ReflectionKind.TypeLiteral, context.scope);
  context.project.registerReflection(literal, undefined, undefined);
  const inside = context.withScope(literal);
  for (const property of type.getProperties()) context.converter.convertSymbol(inside, property);
  return new ReflectionType(literal);
}

function showType(context, reflection) {
  const symbol = context.getSymbolFromReflection(reflection);
  const declaration = symbol?.declarations?.find((each) => ts.isTypeAliasDeclaration(each));
  if (!/^(Readonly<)?z\.(output|input|infer)</.test(declaration?.type.getText() ?? '')) return;
  const type = context.checker.getDeclaredTypeOfSymbol(symbol);
  reflection.type = plain(context.withScope(reflection), type);
}

function describe(context, reflection) {
  const symbol = context.getSymbolFromReflection(reflection);
  const declaration = symbol?.declarations?.find((each) => ts.isPropertyAssignment(each));
  if (!declaration) return;
  const { description, standard } = textOf(declaration);
  const text = [description, standard !== undefined && `Default: \`${standard}\`.`].filter(Boolean).join(' ');
  if (text) reflection.comment = new Comment([{ kind: 'text', text }]);
}

export function load(app) {
  const aliases = [];
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (reflection.kindOf(ReflectionKind.TypeAlias)) aliases.push([context, reflection]);
    if (reflection.kindOf(ReflectionKind.Property) && !reflection.comment) describe(context, reflection);
  });
  // An alias gets its type after it was told of.
  app.converter.on(Converter.EVENT_END, () => {
    for (const [context, reflection] of aliases) showType(context, reflection);
  });
}
