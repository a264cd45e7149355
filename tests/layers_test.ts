import { assertEquals } from "@std/assert";
import { breaches, type Graph, parseModule } from "./layers.ts";

const ROOT = new URL("../", import.meta.url);
const SKIP = new Set([".git", ".tmp", "data", "dist", "node_modules", "deno.lock"]);

Deno.test("imports point down, never in a circle, and only cli names an adapter", async () => {
  const modules = (await paths()).filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
  assertEquals(breaches(graph(await texts(modules))), []);
});

Deno.test("nothing asks for all permissions", async () => {
  const everything = /(?<![\w-])(-[A]|--allow-[a]ll)(?![\w-])/;
  const asking = Object.entries(await texts(await paths()))
    .filter(([, text]) => everything.test(text))
    .map(([path]) => `${path}: name the permissions instead`);
  assertEquals(asking, []);
});

const CASES: readonly [name: string, texts: Record<string, string>, expected: readonly string[]][] =
  [
    [
      "what is allowed",
      {
        "main.ts": `import { start } from "./cli/start.ts";\nDeno.args;`,
        "cli/start.ts": `import { listen } from "../server/tcp.ts";\nDeno.env;`,
        "server/tcp.ts": `import { serve } from "./server.ts";\nDeno.listen;`,
        "server/server.ts": `import { z } from "zod";\nimport { seal } from "../crypto/aes.ts";`,
        "server/store/memory.ts": `import type { Store } from "./store.ts";`,
        "server/store/store.ts": ``,
        "client/session.ts": `export * from "../protocol/entry.ts";`,
        "protocol/entry.ts":
          `// Deno.listen\n/** import { x } from "../crypto/aes.ts"; */\nconst Denoted = 1;`,
        "crypto/aes.ts": `import { sha256 } from "@noble/hashes/sha2.js";`,
        "tests/a_test.ts": `import "../server/tcp.ts";\nimport "../client/tcp.ts";\nDeno.env;`,
      },
      [],
    ],
    [
      "protocol and crypto apart",
      {
        "protocol/entry.ts": `import { seal } from "../crypto/aes.ts";`,
        "crypto/aes.ts": ``,
      },
      ["protocol/entry.ts imports crypto/aes.ts: protocol may import nothing beside itself"],
    ],
    [
      "client and server apart",
      {
        "client/session.ts": `import type {\n  Room,\n} from "../server/room.ts";`,
        "server/room.ts": ``,
      },
      ["client/session.ts imports server/room.ts: client may import protocol, crypto beside itself"],
    ],
    [
      "nothing imports main or tests",
      {
        "main.ts": ``,
        "server/server.ts": `import "../main.ts";`,
        "client/input.ts": `await import("../tests/fake.ts");`,
        "tests/fake.ts": ``,
      },
      [
        "server/server.ts imports main.ts: server may import protocol, crypto beside itself",
        "client/input.ts imports tests/fake.ts: client may import protocol, crypto beside itself",
      ],
    ],
    [
      "adapters",
      {
        "server/server.ts": `import { MemoryStore } from "./store/memory.ts";`,
        "server/store/memory.ts": ``,
        "client/reconnect.ts": `import { connect } from "./tcp.ts";`,
        "client/tcp.ts": ``,
      },
      [
        "server/server.ts imports server/store/memory.ts: only cli names an adapter; take it as an argument",
        "client/reconnect.ts imports client/tcp.ts: only cli names an adapter; take it as an argument",
      ],
    ],
    [
      "circles",
      {
        "server/room.ts": `import "./hub.ts";`,
        "server/hub.ts": `import "./tail.ts";`,
        "server/tail.ts": `import "./hub.ts";`,
      },
      ["a circle: server/hub.ts -> server/tail.ts -> server/hub.ts"],
    ],
    [
      "the runtime",
      {
        "protocol/framer.ts": `const n = Deno.pid;`,
        "crypto/noise.ts": `import { Buffer } from "node:buffer";`,
        "client/session.ts": `import "./outbox.ts";`,
        "client/outbox.ts": `new Worker(new URL("./worker.ts", import.meta.url));`,
        "client/worker.ts": `Deno.exit(1);`,
      },
      [
        "protocol/framer.ts uses Deno: it must run in a browser",
        "crypto/noise.ts uses node:buffer: it must run in a browser",
        "client/worker.ts uses Deno: client/session.ts must run in a browser",
      ],
    ],
    [
      "arguments, environment and clock",
      {
        "server/config.ts": `const port = Deno.env.get("PORT");`,
        "protocol/entry.ts": `const time = Date.now();`,
      },
      [
        "server/config.ts reads Deno.args or Deno.env: main and cli do; take the value as an argument",
        "protocol/entry.ts uses Date.now: protocol has no clock and no chance; take an argument",
      ],
    ],
  ];

for (const [name, texts, expected] of CASES) {
  Deno.test(`the layer rules know ${name}`, () => {
    assertEquals(breaches(graph(texts)), expected);
  });
}

function graph(texts: Record<string, string>): Graph {
  return new Map(Object.entries(texts).map(([path, text]) => [path, parseModule(path, text)]));
}

async function texts(paths: readonly string[]): Promise<Record<string, string>> {
  const read = async (path: string): Promise<[string, string]> => [
    path,
    await Deno.readTextFile(new URL(path, ROOT)),
  ];
  return Object.fromEntries(await Promise.all(paths.map(read)));
}

async function paths(folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(new URL(`./${folder}`, ROOT))) {
    if (SKIP.has(name)) continue;
    if (isDirectory) found.push(...await paths(`${folder}${name}/`));
    if (isFile) found.push(`${folder}${name}`);
  }
  return found;
}
