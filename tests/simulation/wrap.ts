/** What a method is at the moment. */
interface Slot {
  current: unknown;
}

const slots = new WeakMap<object, Map<PropertyKey, Slot>>();

/**
 * Puts something in the place of a method; the returned function puts the method back. The property
 * itself changes only once, to what calls the method of the moment: whenever a prototype changes, the
 * runtime throws away what it has compiled for all that is called by way of it.
 */
export function replaceMethod<Of extends object, Name extends keyof Of>(
  of: Of,
  name: Name,
  make: (original: Of[Name]) => Of[Name],
): () => void {
  const slot = slotOf(of, name);
  const original = slot.current as Of[Name];
  slot.current = make(original);
  return () => {
    slot.current = original;
  };
}

function slotOf<Of extends object>(of: Of, name: keyof Of): Slot {
  const ofAll = slots.get(of) ?? new Map<PropertyKey, Slot>();
  slots.set(of, ofAll);
  const known = ofAll.get(name);
  if (known) return known;
  const slot: Slot = { current: of[name] };
  ofAll.set(name, slot);
  of[name] = function (this: unknown, ...args: unknown[]) {
    return (slot.current as (...args: unknown[]) => unknown).apply(this, args);
  } as Of[keyof Of];
  return slot;
}

/** One function for several that undo things; the last is undone first. */
export function undoAll(undos: readonly (() => void)[]): () => void {
  return () => {
    for (const undo of undos.toReversed()) undo();
  };
}
