import { assertEquals, assertMatch } from "@std/assert";
import { Site } from "./site.ts";

/** An address of this machine that is not loopback; the link is told from it. */
const address = Deno.networkInterfaces().find(({ family, address }) =>
  family === "IPv4" && !address.startsWith("127.")
)?.address;

Deno.test({
  name: "from beyond loopback the printed link lets a new user in, and nothing else does",
  ignore: address === undefined,
  async fn() {
    await using site = await Site.open();
    const server = await site.start("--port", `${address}:0`);
    assertEquals(server.link.startsWith(`broadcast://${address}:${server.port}#`), true);
    const [bare, invitation] = [server.link.split("#")[0]!, server.link.split(".").at(-1)!];

    const join = async (link: string, name: string) => {
      const client = site.connect(link, "--name", name, "--home", name);
      await client.end();
      return { code: await client.code, told: client.stderr };
    };
    const [uninvited, forged, damaged, invited] = await Promise.all([
      join(bare, "Uninvited"),
      join(server.link.replace(invitation, "A".repeat(22)), "Forged"),
      join(server.link.slice(0, -2), "Damaged"),
      join(server.link, "Invited"),
    ]);
    assertEquals(uninvited.code, 4);
    assertMatch(
      uninvited.told,
      /New users need an invitation here\. Ask the operator for the link/,
    );
    assertEquals(forged.code, 4);
    assertMatch(forged.told, /The invitation in your link is damaged or no longer good\. Ask/);
    assertEquals(damaged.code, 4);
    assertEquals(invited.code, 0);
    assertEquals(/New server/.test(invited.told), false, "The link vouches for the server.");
    assertEquals((await join(bare, "Invited")).code, 0, "Once in, the name is enough.");
  },
});

Deno.test("a link is taken from the environment, a file and a prompt too", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const { link, port } = server;
  await Deno.writeTextFile(`${site.folder}/link`, `${link}\n`);
  const net = `127.0.0.1:${port}`;
  const joins = [
    site.run("connect", ["--name", "Env", "--home", "e"], { env: { BROADCAST_LINK: link }, net }),
    site.run("connect", ["--link-file", "link", "--name", "File", "--home", "f"], {
      net,
      read: "link",
    }),
    site.run("connect", ["--name", "Port", "--home", "p"], { env: { PORT: `:${port}` }, net }),
  ];
  for (const client of joins) await client.end();
  for (const client of joins) assertEquals(await client.code, 0, client.stderr);
  const asked = site.terminal("--ask", ["--name", "Asked", "--home", "a"], { net });
  await asked.prompts("Paste the link:");
  await asked.line(link);
  await asked.entered();
  assertEquals(asked.raw.includes(link.split("#")[1]!), false, "The link was shown.");
});
