/**
 * The conversation with an original server: lines in, lines out; it confirms nothing.
 *
 * @module
 */

import { classicRefusals } from "../protocol/classic.ts";
import { payloadBytesMax } from "../protocol/limits.ts";
import type { ClassicEvent, ClassicSession } from "./classic.ts";
import { helpText, parseInput } from "./input.ts";
import type { Ui } from "./ui.ts";

/** The name is taken, and there is nobody to ask for another. */
export class ClassicNameError extends Error {
  override readonly name = "ClassicNameError";
}

/**
 * Sends the user's lines and shows the others', until the input ends, the user quits, or the server
 * ends it.
 *
 * @throws {ClassicNameError} when the name is refused and no person is there to choose another
 * @throws {Error} when the server ends it
 */
export async function classicChat(session: ClassicSession, ui: Ui): Promise<void> {
  let isRefused = false;
  const onRefused = () => isRefused = true;
  const listening = listen(session, ui, onRefused);
  const speaking = speak(session, ui, async (line) => {
    if (!isRefused) return false;
    isRefused = false;
    await session.rename(line.trim());
    return true;
  });
  try {
    await Promise.race([speaking, listening]);
  } finally {
    session.close();
  }
}

async function listen(session: ClassicSession, ui: Ui, onRefused: () => void): Promise<void> {
  for await (const event of session.events) {
    if (event.kind === "refused") onRefused();
    show(event, ui);
  }
}

function show(event: ClassicEvent, ui: Ui): void {
  switch (event.kind) {
    case "line":
      return ui.show(event);
    case "refused": {
      const text = classicRefusals[event.reason];
      if (!ui.hasCommands) throw new ClassicNameError(text);
      return ui.show({ kind: "notice", text: `${text} — type another name` });
    }
    case "closed":
      throw new Error(`Disconnected: ${event.text}`);
    case "accepted":
      return;
  }
}

/** @param isName takes a line as a name where one is asked for */
async function speak(
  session: ClassicSession,
  ui: Ui,
  isName: (line: string) => Promise<boolean>,
): Promise<void> {
  for await (const line of ui.lines) {
    if (await isName(line)) continue;
    const text = ui.hasCommands ? typed(line, ui) : line;
    if (text === undefined) return;
    if (text !== "") await session.send(text);
  }
}

/** What a person's line says; empty for nothing, undefined to quit. */
function typed(line: string, ui: Ui): string | undefined {
  const intent = parseInput(line, payloadBytesMax);
  const notice = (text: string) => ui.show({ kind: "notice", text });
  switch (intent.kind) {
    case "say":
      return intent.text;
    case "action":
      return `* ${intent.text}`;
    case "quit":
      return undefined;
    case "help":
      notice(helpText());
      return "";
    case "who":
      notice("-- An original server does not tell who is here.");
      return "";
    case "mistake":
    case "too_long":
      notice(`-- ${intent.hint}`);
      return "";
    case "nothing":
      return "";
  }
}
