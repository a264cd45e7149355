/**
 * What follows from entries for what is kept: which text stands there now, and what is erased.
 *
 * @module
 */

import { concat, equal } from "../../protocol/bytes.ts";
import { Content, type Core, decodeCore, payloadHashOf } from "../../protocol/entry.ts";
import type { ClientEntry } from "../events.ts";

/** What of an entry decides about others. */
export type Acting = Pick<ClientEntry, "seq" | "core" | "author" | "verified" | "isErased">;

/** The text of an entry that says something; edits say nothing by themselves. */
export function textOf(
  { core, isErased }: Pick<ClientEntry, "core" | "isErased">,
): string | undefined {
  if (isErased || core.content !== Content.text && core.content !== Content.action) {
    return undefined;
  }
  return payloadText(core);
}

const utf8Decoder = new TextDecoder();

/** A core's payload, read as text. */
export function payloadText({ payload }: Core): string {
  return utf8Decoder.decode(payload);
}

/** Text as it is looked for: whatever its case, and however its letters are put together. */
export function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

/** Whether an edit is its target's author's own: the server says so, but need not be believed. */
export function mayEdit(edit: Acting, target: Acting): boolean {
  return edit.core.content === Content.edit && !edit.isErased && edit.seq > target.seq &&
    edit.verified === "signed" && target.verified === "signed" &&
    textOf(target) !== undefined &&
    edit.author !== undefined && target.author !== undefined &&
    equal(edit.author.userId, target.author.userId);
}

/** Whether an entry erases others: who may do so, the server has checked. */
export function isDeletion({ core, verified }: Acting): boolean {
  return core.content === Content.deletion && core.target !== undefined && verified === "signed";
}

/** A core without its payload: the hash of it stands there, so that the chain still holds. */
export function eraseCore(core: Core): Core {
  const hash = payloadHashOf({ core, isErased: false } as Parameters<typeof payloadHashOf>[0]);
  return decodeCore(concat([core.bytes.subarray(0, core.payloadAt), hash]));
}
