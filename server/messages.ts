/**
 * What a client may send: one table, message type to handler. A new kind of message is a row here, its
 * schema in protocol/message.ts, and a function in a file of handlers/. What is asked for by `request`
 * has a table of its own: commands.ts.
 *
 * @module
 */

import type { Message } from "../protocol/message.ts";
import { request } from "./commands.ts";
import { answerPing, goodbye } from "./handlers/connection.ts";
import { people } from "./handlers/people.ts";
import { publish } from "./handlers/publish.ts";
import { join, seen, typing } from "./handlers/reading.ts";
import type { Member } from "./member.ts";

/** The types of message that a handler exists for. */
type Handled =
  | "ping"
  | "pong"
  | "join"
  | "publish"
  | "people"
  | "request"
  | "typing"
  | "seen"
  | "goodbye";

/** Does what a message asks for; throws a ProtocolError where it may not. */
export type Handler<Type extends Message["type"]> = (
  member: Member,
  message: Extract<Message, { type: Type }>,
) => void;

const handlers: { readonly [Type in Handled]: Handler<Type> } = {
  ping: answerPing,
  pong: () => {},
  join,
  publish,
  people,
  request,
  typing,
  seen,
  goodbye,
};

/** The handler of a message, if a client may send such a one. */
export function handlerOf(message: Message): Handler<Message["type"]> | undefined {
  return Object.hasOwn(handlers, message.type)
    ? handlers[message.type as Handled] as Handler<Message["type"]>
    : undefined;
}
