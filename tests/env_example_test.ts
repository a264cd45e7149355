import { assertEquals } from "@std/assert";
import { parse } from "@std/dotenv";
import { clientVariables } from "../cli/env_file.ts";
import { parseLink } from "../protocol/address.ts";
import { loadConfig, settings, variableOf } from "../server/config.ts";
import { envExample } from "../tools/env_example.ts";

const text = await Deno.readTextFile(`${import.meta.dirname}/../.env.example`);

Deno.test(".env.example is what `deno run tools/env_example.ts` prints", () => {
  assertEquals(text, envExample());
});

Deno.test("what .env.example holds is the defaults, each variable with its comment", () => {
  const variables = parse(text.replaceAll(/^#(?=[A-Z_]+=)/gm, ""));
  const { BROADCAST_LINK, ...rest } = variables;
  assertEquals(Object.keys(variables), [
    ...Object.values(settings).map(({ flag }) => variableOf(flag)),
    ...Object.keys(clientVariables),
  ]);
  const nothing = { flags: {}, env: {}, file: {} };
  assertEquals(loadConfig({ ...nothing, file: rest }), loadConfig(nothing));
  assertEquals(text.match(/^# .*\n#?[A-Z_]+=/gm)?.length, Object.keys(variables).length);
  assertEquals(BROADCAST_LINK!.split("#").length, 2, "Without quotes, # begins a comment.");
  parseLink(BROADCAST_LINK!.split("#")[0]!);
});

Deno.test("each variable of .env.example is one that its command may read", async () => {
  const { permissions } = JSON.parse(
    await Deno.readTextFile(`${import.meta.dirname}/../deno.json`),
  );
  const server = Object.values(settings).map(({ flag }) => variableOf(flag));
  const client = Object.keys(clientVariables);
  assertEquals(server.filter((name) => !permissions.start.env.includes(name)), []);
  assertEquals(client.filter((name) => !permissions.connect.env.includes(name)), []);
  assertEquals([...server, ...client].filter((of) => !permissions.compile.env.includes(of)), []);
});
