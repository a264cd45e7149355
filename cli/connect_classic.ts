/**
 * A conversation with an original server, which protects nothing.
 *
 * @module
 */

import { ClassicSession } from "../client/classic.ts";
import { classicChat } from "../client/classic_chat.ts";
import { ServerIdentityError } from "../client/pins.ts";
import { notice, type Ui } from "../client/chat/ui.ts";
import { systemClock } from "./clock.ts";
import { askForName } from "./connect_chat.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { openStore } from "./connect_store.ts";
import type { EndingRequest } from "./ending.ts";
import { exitCode } from "./exit.ts";
import { formatAddress } from "../protocol/address.ts";
import { dialTcp } from "./tcp.ts";

/** Runs a conversation to its end; the exit code. */
export async function classicConversation(
  options: ConnectOptions,
  ui: Ui,
  ending: EndingRequest,
): Promise<number> {
  await refuseKnown(options);
  notice(ui, "The original protocol protects nothing: whoever is on the way reads and changes it.");
  const tcp = await ending.first(dialTcp(options.link));
  ui.show({ kind: "notice", text: "Connected to the server" });
  const name = options.name ?? await ending.first(askForName(ui));
  const session = await ending.first(ClassicSession.join(tcp, name, { clock: systemClock }));
  const follow = options.flags.has("follow");
  await ending.first(classicChat(session, ui, { clock: systemClock, name, follow }));
  return exitCode.ok;
}

/** A server that has shown an identity is not talked to in the clear unless that is taken back. */
async function refuseKnown({ link, home, flags }: ConnectOptions): Promise<void> {
  const address = formatAddress(link);
  const store = openStore(home);
  if (flags.has("forget")) await store.forgetPin(address);
  const pinned = await store.pin(address);
  store.close();
  if (link.fingerprint === undefined && pinned === undefined) return;
  throw new ServerIdentityError(
    `${address} is known as a server that encrypts; --classic would give that up. If it really is ` +
      `an original server now, add --forget, and leave out what is behind the '#' of a link.`,
  );
}
