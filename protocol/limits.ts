/**
 * Every bound of the protocol, its unit in its name. What an operator may change is a default here
 * and a setting in `server/config.ts`. Lengths and counts of what is sent are part of the wire format.
 *
 * @module
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes of the length in front of a frame and of a message. */
export const lengthBytes = 4;

/** Bytes of a frame's nonce: `[u32 channel][u64 counter]`. */
export const nonceBytes = 12;

/** Bytes of an AES-GCM tag. */
export const tagBytes = 16;

/** Bytes of every id: room, user, device, message. */
export const idBytes = 16;

/** Bytes of a chain hash and of a payload hash (SHA-256). */
export const hashBytes = 32;

/** Bytes of an AES-256 key. */
export const keyBytes = 32;

/** Bytes of an Ed25519 signature. */
export const signatureBytes = 64;

/** What a frame's length may say once a session is logged in. */
export const frameBytesMax = 256 * KiB;

/** What a frame's length may say before login. */
export const frameBytesMaxBeforeLogin = 1 * KiB;

/** What all messages of one frame may have together. */
export const frameMessagesBytesMax = frameBytesMax - nonceBytes - tagBytes;

/** Messages that one frame may have: they are handled in one turn. */
export const frameMessagesMax = 4096;

/** The payload of one entry. */
export const payloadBytesMax = 64 * KiB;

/** The rows of one batch: one frame is sealed at once, so this is also a bound on its latency. */
export const batchRowsBytesMax = 128 * KiB;

/** A room's newest frames in memory. */
export const tailBytesMax = 1 * MiB;

/** A tail's segments grow from the first to the second of these. */
export const segmentBytesMin = KiB / 2;
export const segmentBytesMax = 256 * KiB;

/** Channel 0 towards one peer: what may wait there before the peer counts as too slow. */
export const controlBytesMax = 512 * KiB;

/** Lines that may wait for a classic client: a batch in full, each byte written out as four. */
export const classicLinesBytesMax = 2 * MiB;

/** Entries that a room may hold between publish and append before publishers are not read. */
export const pendingBytesMax = 512 * KiB;

/** The same of all rooms together. */
export const backlogBytesMax = 16 * MiB;

/** Presence and typing that may wait in a room; beyond that they are left out. */
export const passingBytesMax = 32 * KiB;

/** Who is refused because the disk is full tries again after so long. */
export const readOnlyRetryMs = 2_000;

/** A key is replaced after so many frames … */
export const channelFramesMax = 2 ** 32;
/** … so many bytes … */
export const channelBytesMax = 64 * 1024 * MiB;
/** … or so long: a room's key, and the pair's, whose session closes for a reconnect. */
export const roomKeyMs = 60 * 60 * 1000;
export const sessionMs = 24 * 60 * 60 * 1000;

/** From the first byte accepted to the login's answer, in all. */
export const loginTimeoutMs = 10_000;

/** A classic client is a person at a keyboard: this long to type a name. */
export const classicNameTimeoutMs = 5 * 60_000;

/** A server that has heard nothing for so long greets a classic client. */
export const classicPromptMs = 150;

/** Names that a classic client may try in a row. */
export const classicNameTriesMax = 3;

/** A ping goes out after so long without a byte from the peer … */
export const pingAfterMs = 25_000;
/** … and after so long without a byte received or written the session closes. */
export const silenceMaxMs = 30_000;

/** A client that has heard nothing for so long, though the server pings, connects anew. */
export const heardTimeoutMs = 60_000;

/** What a client reads ahead of checking it, what it reads ahead of an answer, and what each thing read
 * counts at least. */
export const inboxBytesMax = 4 * MiB;
export const inboxUnansweredBytesMax = 64 * MiB;
export const queuedBytesMin = 256;

/** How often the server looks for sessions that are silent or used up. */
export const inspectMs = 5_000;

/** How long an ending session may take to write what is queued. */
export const flushTimeoutMs = 2_000;

/** How long a refused connection stays open, so that the peer can read why. */
export const lingerMs = 200;

/** Write rounds: writes in one turn of the event loop (the runtime parks operations after 128). */
export const roundWritesPerTurn = 64;
/** The share of readers that ends a round, and the time that ends it without them. */
export const roundQuorum = 0.95;
export const roundMs = 10;

/** A reader whose socket takes nothing for so long is not waited for by rounds. */
export const stuckMs = 500;

/** How long a full tail waits for a reader whose socket takes nothing before that reader catches up … */
export const laggardMs = 250;
/** … and how long where many of its readers are so. */
export const laggardsMs = 1_000;

/** A reader that fell behind the tail is attached again no sooner than this; doubles up to the max. */
export const reattachMs = 1_000;
export const reattachMsMax = 30_000;

/** An idle room's segments are dropped after so long. */
export const tailIdleMs = 1_000;

/** One page of catch-up. */
export const pageBytesMax = 128 * KiB;

/** Who left without saying so is shown as gone after so long; a reconnect sooner is not shown. */
export const leaveGraceMs = 10_000;
/** Who is here is told so much later, together with others. */
export const presenceDelayMs = 50;
/** Of a session, so often may it tell that its user types. */
export const typingMsMin = 2_000;
/** How far members have a room's log is kept so much later, together. */
export const watermarksDelayMs = 5_000;

/** What is too large for an entry or an answer: a whole object, and what one request carries of it. */
export const objectBytesMax = 1 * MiB;
export const objectChunkBytesMax = 48 * KiB;

/** Objects that were uploaded and are not used yet: of a session (the oldest go first), and of all. */
export const stagedBytesMax = 4 * MiB;
export const stagedBytesMaxInAll = 256 * MiB;

/** Devices that one commit welcomes. */
export const commitWelcomesMax = 256;
/** Welcomes that a room keeps: the newest, and not for longer than this. */
export const welcomesMax = 256;
export const welcomesBytesMax = 16 * MiB;
export const welcomeMs = 30 * 24 * 3600 * 1000;

/** Key packages: one of them, those kept of a device, and whose are given at once: devices of a user. */
export const keyPackageBytesMax = 8 * KiB;
export const keyPackagesMax = 32;
export const takeDevicesMax = 4;

/** A reaction to a message. */
export const reactionBytesMax = 64;

/** Entries that history shows unless asked for more or less. */
export const historyCount = 50;

/** Devices that one request may ask about, and names that one answer lists. */
export const peopleMax = 64;
export const presenceNamesMax = 64;
/** Rows of one answer: members, bans, entries. */
export const commandCountMax = 500;

/** What an answer's rows may have together, so that it fits into one frame with others. */
export const answerBytesMax = 128 * KiB;

/** Rooms that one user may be in, and rooms that a server has. */
export const roomsPerUserMax = 100;
export const roomsMax = 10_000;

/** Bans of a room and of a whole server; invitations into a room, by a user, and in
 * all; who is allowed. */
export const roomBansMax = commandCountMax;
export const serverBansMax = 10_000;
export const roomInvitationsMax = 200;
export const userInvitationsMax = 200;
export const invitationsMax = 10_000;
export const roomAllowedMax = 500;

/** Bytes of an invitation: enough that nobody guesses it. */
export const invitationBytes = 16;

/** Who was here so short a time ago may come back while nobody new is let in. */
export const drainGraceMs = 60_000;

/** Of a user: going into rooms … */
/** Rooms that a user may make at once, and then in an hour. */
export const roomsMadeBurst = 20;
export const roomsMadePerHour = 10;
/** A room that nobody is in stays for so long; how often that is looked at. */
export const emptyRoomMs = 24 * 3600_000;
export const emptyRoomsLookMs = 3600_000;

export const joinsBurst = 30;
export const joinsPerMinute = 30;
/** … reading what was said before … */
export const historyBurst = 50;
export const historyPerMinute = 300;
/** … making invitations … */
export const invitesBurst = 20;
export const invitesPerMinute = 10;
/** … committing to groups: who loses tries again, and there may be many … */
export const commitsBurst = 60;
export const commitsPerMinute = 60;
/** … requests that carry a part of an object … */
export const objectsBurst = 1024;
export const objectsPerMinute = 1200;
/** … taking key packages of others … */
export const takesBurst = 30;
export const takesPerMinute = 30;
/** … and whatever else changes something: so much at once, then so much a minute. */
export const actsBurst = 60;
export const actsPerMinute = 60;

/** Logins from one address (IPv6: /64) at once, and then a minute. */
export const loginBurst = 120;
export const loginsPerMinute = 120;
/** Addresses whose budgets are remembered. */
export const addressBudgetsMax = 10_000;

/** A topic, a reason. */
export const textCharsMax = 1024;

/** A field of bytes in JSON. */
export const base64UrlCharsMax = 176 * 1024;

/** What a session may ask for, publishing aside: so much at once … */
export const requestsBurst = 64;
/** … and so much a second. Beyond that it is read more slowly … */
export const requestsPerSecond = 50;
/** … and who is so far ahead of that is sent away. */
export const requestsAheadMsMax = 2_000;

/** Devices of one user that are remembered, and guests who have left. */
export const userDevicesMax = 16;
export const guestsRememberedMax = 1000;

/** Names of users. */
export const nameCharsMax = 32;

/** How long accepting pauses when it failed, for want of file descriptors say. */
export const acceptPauseMs = 100;

/** What a client sends ahead of acknowledgements, and what it keeps of things said. */
export const outboxWindowMax = 256;
export const outboxBytesMax = 1 * MiB;

/** A client tells no more often what it has and what was read, of so many rooms at once, … */
export const seenMs = 1_000;
export const seenRoomsMax = 10;
/** … and that somebody is typing. */
export const typingMs = 3_000;

/** Entries that a client keeps of each room, the newest. */
export const keptEntriesMax = 100_000;

/** Entries that a session hands on at once while more of them wait. */
export const entriesTogetherMax = 1_000;

/** How long a message waits that was refused for a while, where the server does not say. */
export const refusedMs = 1_000;

/** A reconnect is tried after the first of these, doubling up to the second, each with jitter. */
export const reconnectMs = 250;
export const reconnectMsMax = 30_000;

/** How long connecting may take, and how long the handshake and the login after it. */
export const dialTimeoutMs = 10_000;

/** What an operator may ask for over the socket in the data folder: the length of one request … */
export const operatorLineBytesMax = 64 * KiB;
/** … how many may ask at once … */
export const operatorConnectionsMax = 8;
/** … how long a request may take to arrive, and its answer to be taken … */
export const operatorPatienceMs = 10_000;
/** … and what an answer may have. */
export const operatorAnswerBytesMax = 16 * MiB;

/** What is older than the operator wants to keep is forgotten so often. */
export const trimMs = 60 * 60 * 1000;

/** The longest text in a sealed room: sealed and padded it has to fit into a payload. */
export const sealedTextBytesMax = 48 * KiB;
/** Those who ask to be let into a sealed room that a client remembers. */
export const knocksMax = 256;
/** Those who have left a sealed room that a client remembers. */
export const departedMax = 4096;
/** Entries of a sealed room's log of which a client remembers where the chain stood. */
export const trailMax = 4096;
/** Who says something with keys of their own that are older changes them first. */
export const ownKeysMs = 24 * 3600_000;
/** How long who asks to be let in waits for a member, before coming in by themselves. */
export const knockWaitMs = 2_000;
/** Of those who come in by themselves each waits so much longer than who knocked before … */
export const knockTurnMs = 1_000;
/** … up to so many times; and so often where somebody else was let in meanwhile. */
export const knockTurnsMax = 10;
/** Who waits to be let in asks again after the first of these, doubling up to the second. */
export const knockAgainMs = 60_000;
export const knockAgainMsMax = 60 * 60_000;
/** How long a member waits for others to let somebody in, and for more who ask. */
export const admitWaitMs = 300;
/** How long a message waits that could not be sealed, doubling up to the second. */
export const sealRetryMs = 500;
export const sealRetryMsMax = 30_000;
/** Whoever has no keys of a sealed room after so long is told. */
export const arrivalSlowMs = 20_000;
/** Whoever said something that cannot be sealed is told so after this. */
export const heldUpMs = 3_000;
/** How long to wait before coming in is tried again, where others were faster. */
export const arrivalRetryMs = 200;
/** Key packages that a client leaves with the server, and how few there may be before it leaves more. */
export const keyPoolSize = 8;
export const keyPoolLow = 4;
/** How long after a login it looks. */
export const keyPoolAfterMs = 1_000;
