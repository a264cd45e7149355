/**
 * A conversation over our protocol: from the first connection to the last acknowledgement.
 *
 * @module
 */

import { Chat } from "../client/chat/chat.ts";
import { Refused, type SecureLink, shakeHands } from "../client/handshake.ts";
import { pinChecker } from "../client/pins.ts";
import { Client } from "../client/reconnect.ts";
import { decodeRoomKey } from "../client/sealed/room_key.ts";
import type { ClientStore } from "../client/store/store.ts";
import { notice, type Ui } from "../client/chat/ui.ts";
import { fingerprint } from "../crypto/identity.ts";
import { systemClock } from "./clock.ts";
import { type ConnectOptions, toName } from "./connect_options.ts";
import { EndedError, type EndingRequest } from "./ending.ts";
import { exitCode } from "./exit.ts";
import { UsageError } from "./flags.ts";
import {
  formatAddress,
  formatLink,
  isOfThisMachine,
  parseAddress,
  type ServerLink,
} from "../protocol/address.ts";
import { fromBase64Url, toBase64Url } from "../protocol/bytes.ts";
import { pause } from "../protocol/clock.ts";
import { CutShort, ProtocolError } from "../protocol/errors.ts";
import { dialTimeoutMs, payloadBytesMax } from "../protocol/limits.ts";
import { dialTcp, UnreachableError } from "./tcp.ts";

/** Who is told to leave says goodbye, if that takes no longer. */
const goodbyeMs = 1_500;

/** Refusals that another name may mend. */
export const nameProblems: readonly string[] = ["bad_name", "name_owned", "name_lookalike"];

/** Nobody answers who would have to say their name. */
class NoNameError extends UsageError {}

/** Logs in by a name; over this link where there is one, else over a new one. */
type Open = (name: string, first?: SecureLink) => Promise<Client>;

/** Connects, runs a conversation to its end, and keeps what comes and what is said; the exit code. */
export async function chat(
  options: ConnectOptions,
  ui: Ui,
  ending: EndingRequest,
  store: ClientStore,
): Promise<number> {
  const { link, giveUpMs, flags } = options;
  if (flags.has("forget")) await store.forgetPin(formatAddress(link));
  const checkServer = pinChecker(link, store, (fingerprint) => {
    if (!link.fingerprint) notice(ui, `New server. Its fingerprint is ${fingerprint}`);
  });
  const dial = () => dialServer(link, checkServer);
  // Made, or opened, before a server waits for the login.
  if (options.name !== undefined) await store.identity(options.name);
  const secure = await ending.first(dial());
  ui.show({ kind: "notice", text: "Connected to the server" });
  const follow = flags.has("follow");
  const { host, port } = link;
  const room = options.room ?? link.room;
  const roomKey = link.room !== undefined && link.key !== undefined
    ? { room: link.room, ...decodeRoomKey(fromBase64Url(link.key)) }
    : undefined;
  const conversation = new Chat(ui, {
    clock: systemClock,
    payloadBytesMax,
    follow,
    room,
    isOpen: flags.has("open"),
    isInvited: link.invitation !== undefined,
    linkOf: (invitation, address, room) =>
      formatLink({
        // Who has come by this machine's own loopback knows no address that is of use to others.
        ...(address !== undefined && isOfThisMachine(host)
          ? parseAddress(address)
          : { host, port }),
        fingerprint: fingerprint(secure.server),
        invitation: toBase64Url(invitation),
        ...(room && { room: room.name }),
        ...(room?.key && { key: toBase64Url(room.key) }),
      }),
  });
  const invitation = link.invitation === undefined ? undefined : fromBase64Url(link.invitation);
  const open: Open = async (name, first) =>
    await Client.open({
      dial,
      login: { name, identity: await store.identity(name), invitation },
      clock: systemClock,
      random: Math.random,
      keep: (server) => store.profile(server, name),
      isReachable: true,
      ...(roomKey && { roomKey }),
      onEvent: conversation.onEvent,
      ...(giveUpMs !== undefined && { giveUpMs }),
    }, first);
  const opening = options.name ? open(options.name, secure) : askName(ui, open, secure);
  const client = await ending.first(opening.catch((cause) => {
    throw explained(cause, link);
  }));
  if (!client.isKept) {
    notice(ui, "Another process uses this name here, so nothing of this one is kept.");
  }
  return await converse(conversation, client, ui, ending);
}

/** Talks until the input ends, the user quits, the server ends it or the process is to end. */
async function converse(
  conversation: Chat,
  client: Client,
  ui: Ui,
  ending: EndingRequest,
): Promise<number> {
  conversation.begin(client);
  const running = client.run();
  try {
    await ending.first(Promise.race([conversation.run(client), running]));
    await running;
    return conversation.undelivered > 0 ? exitCode.undelivered : exitCode.ok;
  } catch (error) {
    const isEnded = error instanceof EndedError;
    if (isEnded) await leave(client, running);
    if (client.undelivered === 0) throw error;
    notice(ui, `Not delivered: ${client.undelivered} of your messages.`);
    if (client.isKept) notice(ui, "They are kept, and sent when this name connects here again.");
    if (isEnded) throw error;
    notice(ui, error instanceof Error ? error.message : String(error));
    return exitCode.undelivered;
  }
}

/** Says goodbye, so that the others see it at once. */
async function leave(client: Client, running: Promise<void>): Promise<void> {
  client.close();
  await Promise.race([running, pause(systemClock, goodbyeMs)]).catch(() => {});
}

/** A link to the server, encrypted, its identity checked. */
async function dialServer(
  link: ServerLink,
  checkServer: (identity: Uint8Array) => Promise<void>,
): Promise<SecureLink> {
  const tcp = await dialTcp(link);
  let isLate = false;
  const cancel = systemClock.timer(dialTimeoutMs, () => {
    isLate = true;
    tcp.close();
  });
  try {
    return await shakeHands(tcp, checkServer);
  } catch (cause) {
    tcp.close();
    if (!isLate) throw cause;
    throw new UnreachableError(
      `${formatAddress(link)} takes connections, but does not answer as a Broadcast server does. ` +
        `Check host and port; an original server of the first version needs --classic.`,
      { cause },
    );
  } finally {
    cancel();
  }
}

/** Asks for a name until the server takes one. Who thinks for long finds the connection made anew. */
async function askName(ui: Ui, open: Open, first: SecureLink): Promise<Client> {
  let link: SecureLink | undefined = first;
  while (true) {
    try {
      const name = toName(await askForName(ui));
      const used = link;
      link = undefined;
      return await open(name, used).catch((cause) => {
        if (!used || cause instanceof Refused && cause.code !== "login_timeout") throw cause;
        return open(name);
      });
    } catch (error) {
      if (!ui.hasCommands || !mayAskAgain(error)) throw error;
      notice(ui, error.message);
    }
  }
}

/** A line from the user. */
export async function askForName(ui: Ui): Promise<string> {
  const answer = await ui.ask("Enter your username:");
  if (answer === undefined) throw new NoNameError("There is no name. Give one: --name NAME");
  return answer;
}

function mayAskAgain(error: unknown): error is Error {
  if (isRefusal(error)) return nameProblems.includes(error.code);
  return error instanceof UsageError && !(error instanceof NoNameError);
}

/** Whether the server, or our side of the protocol, said no. */
export function isRefusal(error: unknown): error is Refused | ProtocolError {
  return error instanceof Refused || error instanceof ProtocolError;
}

/** What the server does not say: that it went away, or that there was an invitation and not a good one. */
function explained(cause: unknown, link: ServerLink): unknown {
  if (cause instanceof CutShort) {
    const text = `${formatAddress(link)} ended the connection during the login. Try again.`;
    return new UnreachableError(text, { cause });
  }
  const isRefused = cause instanceof Refused && cause.code === "invitation_needed";
  if (!isRefused || link.invitation === undefined) return cause;
  const whom = link.room === undefined
    ? "Ask the operator for the link that the server prints now"
    : "Ask whoever made it for a new one";
  const text =
    `The invitation in your link is damaged or no longer good. ${whom}, and copy it whole.`;
  return new Refused(cause.code, text);
}
