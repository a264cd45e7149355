/** What is said in a sealed room, looked for wherever a server could have it. */

import { assert, assertEquals } from "@std/assert";
import { linkShown, person, Site } from "./site.ts";
import { Search, searchFolder, searchMemory, Tap } from "./traces.ts";

/** Texts that are nowhere by chance. */
const beginning = `canary-${crypto.randomUUID()}`;
const inTheOpen = `${beginning}-open`; // Shows that the search finds what is there.
const said = {
  text: `${beginning}-text`,
  edited: `${beginning}-edited`,
  answer: `${beginning}-answer`,
  direct: `${beginning}-direct`,
};

function search(): Search {
  return new Search(beginning, [inTheOpen, ...Object.values(said)]);
}

Deno.test({
  name: "what is said in a sealed room is nowhere in the server's memory, store, logs or traffic",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using site = await Site.open();
    const server = await site.start("--log-level", "debug", "--publish-burst", "1000");
    const [traffic, memory, store, logs] = [search(), search(), search(), search()];
    await using tap = new Tap(server.port, traffic);

    const alice = person(site, `127.0.0.1:${tap.port}`, "Alice");
    await alice.entered();
    await alice.line(inTheOpen);
    await alice.shows(`[Alice]: ${inTheOpen}`);
    await alice.line("/join team");
    await alice.prompts("team (sealed)>");
    await alice.line("/invite 1d 5");
    await alice.shows(/^broadcast:/);
    const link = linkShown(alice);
    const carol = person(site, link, "Carol");
    await carol.shows("-- team: you have the keys: what is said from now on is yours to read.");
    await alice.line(said.text);
    await carol.shows(`[Alice]: ${said.text}`);
    await alice.line(`/edit ${said.edited}`);
    await carol.shows(new RegExp(said.edited));
    await carol.line(said.answer);
    await alice.shows(`[Carol]: ${said.answer}`);
    await alice.line(`/msg carol ${said.direct}`);
    await alice.shows(`[Alice]: ${said.direct}`);
    await carol.line("/switch @Alice");
    await carol.shows(`[Alice]: ${said.direct}`);

    const readBytes = await searchMemory(server.process.pid, memory);
    server.process.kill("SIGTERM");
    assertEquals(await server.process.code, 0);
    await searchFolder(`${site.folder}/data`, store);
    logs.push(new TextEncoder().encode(server.process.stdout + server.process.stderr));

    assert(tap.bytes > 10_000, "the clients went through the tap");
    assertEquals(traffic.found, [], "traffic");
    assertEquals(logs.found, [], "logs");
    assertEquals(store.found, [inTheOpen], "store");
    if (readBytes === 0) console.warn("The memory of another process cannot be read here.");
    else assertEquals(memory.found, [inTheOpen], "memory");
  },
});
