import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { generateIdentity } from "../../crypto/identity.ts";
import { encodeControl } from "../../protocol/message.ts";
import { join, loginMessage, Peer } from "../hostile/peer.ts";
import { Site } from "./site.ts";

/** What a run of `admin` came to. */
async function admin(site: Site, ...args: string[]) {
  const run = site.run("admin", args);
  return { code: await run.code, out: run.stdout, err: run.stderr };
}

const mistakes: readonly [args: readonly string[], code: number, told: RegExp][] = [
  [["usres"], 2, /^There is no command "usres"\. Did you mean "users"\? "admin help" lists all\.$/],
  [["who"], 2, /^Say which room: who --room NAME$/],
  [["rooms", "--room", "lobby"], 2, /^"rooms" is not about a room\.$/],
  [["who", "--room"], 2, /^--room needs a value\.$/],
  [["mute", "Bob", "5x", "--room", "lobby"], 2, /^"5x" is no time: that would be 30s, 5m/],
  [["kick", "--room=lobby"], 2, /^WHO is missing\. It is typed: kick WHO \[WHY\]$/],
  [["who", "--room", "nowhere\x1b[2J"], 5, /^There is no room "nowhere\\x1b\[2J" here\.$/],
  [["whois", "Nobody"], 5, /^There is nobody named "Nobody" here\.$/],
  [["join", "team"], 5, /^Only a user can be in a room\.$/],
];

Deno.test("an operator asks a running server, and is told what is wrong with a question", async () => {
  await using site = await Site.open();
  const nobody = await admin(site, "rooms");
  assertEquals(nobody.code, 3);
  assertMatch(
    nobody.err,
    /^No server runs on the folder \.\/data\. Start it, or say where it is: --data/,
  );

  await site.start();
  const rooms = await admin(site, "rooms");
  assertEquals(
    rooms.out,
    "name   topic  members  access  sealed  joined\nlobby  -      0        anyone  -       -\n",
  );
  await Promise.all(mistakes.map(async ([args, code, told]) => {
    const run = await admin(site, ...args);
    assertEquals(run.code, code, run.err);
    assertMatch(run.err.trim(), told);
    assertEquals(run.out, "");
  }));
});

Deno.test("who is banned, or new where nobody is let in, is told by an exit code of its own", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const knock = async (name: string) => {
    const pipe = site.connect(server, "--name", name, "--home", name);
    await pipe.end();
    return [await pipe.code, pipe.stderr.split("\n").find((line) => /ban|new users/.test(line))];
  };
  assertEquals((await knock("Mallory"))[0], 0);
  assertEquals((await admin(site, "exclude", "Mallory")).code, 0);
  assertEquals((await admin(site, "registration", "closed")).code, 0);
  assertEquals(await knock("Mallory"), [4, "You are banned from this server."]);
  assertEquals(await knock("Norbert"), [4, "This server takes no new users. Ask its operator."]);
});

Deno.test("what others wrote cannot act on the operator's terminal", async () => {
  await using site = await Site.open();
  await site.start();
  const set = await admin(site, "topic", "--room", "lobby", "--", "--room is\x1b[2J", "\u202egone");
  assertEquals([set.code, set.out], [0, "Done.\n"]);
  const { out } = await admin(site, "rooms");
  assertStringIncludes(out, "--room is\\x1b[2J \\u{202e}gone");
  const json = await admin(site, "rooms", "--json");
  assertEquals(JSON.parse(json.out).rooms[0].topic, "--room is\x1b[2J \u202egone");
  const history = await admin(site, "history", "--room", "lobby");
  assertMatch(history.out, /^seq {2}time .*\n1 .* event {2}\{"by":"\(operator\)","act":"topic"/);
});

Deno.test("the help lists all that an operator can ask for, with how it is typed, and needs no server", async () => {
  await using site = await Site.open();
  for (const args of [[], ["help"], ["--help"]]) {
    const { code, out } = await admin(site, ...args);
    assertEquals(code, 0);
    assertMatch(out, /^ {2}ban WHO \[HOW LONG\] \[WHY\] --room ROOM +send somebody out/m);
    assertMatch(out, /^ {2}drain on\|off +let nobody new in/m);
    assertNotMatch(out, /^ {2}(join|part|away) /m); // Only users can do these.
  }
});

Deno.test("a server that was killed leaves a socket, and the next one listens there", async () => {
  await using site = await Site.open();
  const first = await site.start();
  assertEquals((await admin(site, "topic", "kept", "--room", "lobby")).code, 0);
  first.process.kill("SIGKILL");
  await first.process.code;
  assertEquals((await Deno.lstat(`${site.folder}/data/admin.sock`)).isSocket, true);
  assertEquals((await admin(site, "rooms")).code, 3);

  await site.start();
  assertMatch((await admin(site, "rooms")).out, /^lobby {2}kept/m);
  const { mode } = await Deno.stat(`${site.folder}/data/admin.sock`);
  assertEquals(mode! & 0o777, 0o600);
});

Deno.test("a second server on the same folder is refused, and the first goes on", async () => {
  await using site = await Site.open();
  const first = await site.start();
  const second = site.run("start", ["--port", "127.0.0.1:0"]);
  assertEquals(await second.code, 2);
  assertMatch(
    second.stderr,
    /^Another server uses \.\/data\/broadcast\.sqlite \(process \d+\)\. End it, or choose another folder/,
  );
  assertEquals((await admin(site, "rooms")).code, 0);
  first.process.kill("SIGTERM");
  assertEquals(await first.process.code, 0);
  const left = [...Deno.readDirSync(`${site.folder}/data`)].map(({ name }) => name).sort();
  assertEquals(left, ["broadcast.sqlite", "broadcast.sqlite.lock", "identity", "invitation"]);
});

Deno.test("an operator drains, bans, invites, and finds it all in the log", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const bob = await join(server, { name: "Bob" });
  using peer = bob.peer;
  assertMatch((await admin(site, "users")).out, /^Bob +yes/m);
  assertMatch((await admin(site, "stats")).out, /^connections +1$/m);
  assertEquals((await admin(site, "admin", "Bob", "on")).code, 0);
  assertMatch((await admin(site, "whois", "@bob")).out, /^admin +yes$/m);

  assertEquals((await admin(site, "exclude", "192.0.2.0/24", "1h", "too", "loud")).code, 0);
  assertMatch(
    (await admin(site, "excluded")).out,
    /^192\.0\.2\.0\/24 +\(operator\) +too loud +20/m,
  );
  assertEquals((await admin(site, "readmit", "192.0.2.0/24")).code, 0);
  assertEquals((await admin(site, "excluded")).out, "No bans.\n");

  const invite = await admin(site, "invite", "1d", "5", "--room", "lobby", "--json");
  const { invitation, link } = JSON.parse(invite.out);
  assertEquals(link, server.link.replace(/[^.]*$/, invitation));

  assertEquals((await admin(site, "drain", "on")).code, 0);
  const late = await Peer.connect(server.port);
  using _late = late;
  await late.shake();
  const { identity } = await generateIdentity();
  await late.send(await loginMessage(late, identity, "Late"));
  assertEquals((await late.lastWords())?.code, "draining");
  await peer.send(encodeControl("ping", {}));
  await peer.receive("pong");

  const { out } = await admin(site, "log", "--json");
  const acts = JSON.parse(out).changes.map(({ by, act }: Record<string, string>) => `${by} ${act}`);
  for (const act of ["admin", "exclude", "readmit", "invite", "drain"]) {
    assertEquals(acts.includes(`(operator) ${act}`), true, `${act} of ${acts}`);
  }
});
