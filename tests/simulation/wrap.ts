/** Puts something in the place of a method; the returned function puts the method back. */
export function replaceMethod<Of extends object, Name extends keyof Of>(
  of: Of,
  name: Name,
  make: (original: Of[Name]) => Of[Name],
): () => void {
  const original = of[name];
  of[name] = make(original);
  return () => {
    of[name] = original;
  };
}

/** One function for several that undo things; the last is undone first. */
export function undoAll(undos: readonly (() => void)[]): () => void {
  return () => {
    for (const undo of undos.toReversed()) undo();
  };
}
