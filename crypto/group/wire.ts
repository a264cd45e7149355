/**
 * Reading MLS messages: all that comes in from outside passes here first.
 *
 * @module
 */

import { encodeRequiredCapabilities } from "ts-mls/requiredCapabilities.js";
import type { Extension } from "ts-mls/extension.js";
import { decodeMlsMessage, encodeMlsMessage, type MLSMessage } from "ts-mls/message.js";
import type { Bytes } from "../aes_gcm.ts";
import { isSame } from "./bytes.ts";
import { foreignNow, GroupError } from "./error.ts";
import { capabilities, rulesExtension } from "./leaf.ts";
import { decodeRules, encodeRules, type GroupRules } from "./rules.ts";

type Wireformat = MLSMessage["wireformat"];
type Of<W extends Wireformat> = Extract<MLSMessage, { wireformat: W }>;

/**
 * The message of this kind in these bytes, which are copied.
 *
 * @throws {GroupError} invalid, when it is another or none
 */
export function readMessage<W extends Wireformat>(
  what: string,
  kind: W,
  bytes: Uint8Array,
): Of<W> {
  const message = readAnyMessage(what, bytes);
  if (message.wireformat !== kind) throw new GroupError("invalid", `${what} is something else.`);
  return message as Of<W>;
}

/** The same, whatever its kind. */
export function readAnyMessage(what: string, bytes: Uint8Array): MLSMessage {
  const [message, length] = foreignNow(what, () => decodeMlsMessage(bytes.slice(), 0)) ?? [];
  if (!message || length !== bytes.length) {
    throw new GroupError("invalid", `${what} cannot be read.`);
  }
  return message;
}

export function writeMessage(message: MLSMessage): Bytes {
  return encodeMlsMessage(message) as Bytes;
}

const required = encodeRequiredCapabilities({
  extensionTypes: capabilities.extensions,
  proposalTypes: capabilities.proposals,
  credentialTypes: capabilities.credentials,
});

/** The extensions of a group's context: the rules, and that everybody must know them. */
export function contextExtensions(rules: GroupRules): Extension[] {
  return [
    { extensionType: "required_capabilities", extensionData: required },
    { extensionType: rulesExtension, extensionData: encodeRules(rules) },
  ];
}

/**
 * The rules in the extensions of a group's context.
 *
 * @throws {GroupError} invalid, when there is anything else, or less
 */
export function readContextExtensions(extensions: readonly Extension[]): GroupRules {
  const [needs, rules] = extensions;
  if (
    !needs || !rules || extensions.length !== 2 ||
    needs.extensionType !== "required_capabilities" || !isSame(needs.extensionData, required) ||
    rules.extensionType !== rulesExtension
  ) throw new GroupError("invalid", "The group's context is not that of a room.");
  return decodeRules(rules.extensionData);
}
