import { assertEquals } from "@std/assert";

const ROOT = `${import.meta.dirname}/..`;

const PLACES = [
  "0.0.0.0:9000",
  "0.0.0.0:1",
  "127.0.0.1:9000",
  "127.0.0.1:1",
  "[::1]:9000",
  "example.org:9000",
  "example.org:1",
];

const PATHS = ["a", "a/admin.sock", "b", "file", "file.new", "from .env", "link", "protocol"];

/** Folders with a server's socket. */
const SOCKETS = ["a", "b", "from .env"];

/** Stands in for main.ts: says what it may do. */
const PROBE = `
const may = (descriptor: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(descriptor).state === "granted";
const granted = [
  ...${JSON.stringify(PATHS)}.flatMap((path) => [
    ...may({ name: "read", path }) ? ["read " + path] : [],
    ...may({ name: "write", path }) ? ["write " + path] : [],
  ]),
  ...${JSON.stringify(PLACES)}.filter((host) => may({ name: "net", host })),
  ...${JSON.stringify(SOCKETS)}.filter((folder) =>
    may({ name: "net", host: "unix:" + Deno.cwd() + "/" + folder + "/admin.sock" })
  ).map((folder) => "socket in " + folder),
  ...may({ name: "sys", kind: "statfs" }) ? ["statfs"] : [],
  ...["read", "write", "net", "run", "env", "ffi", "sys"].filter((name) => may({ name })),
];
console.log(JSON.stringify({ args: Deno.args, granted }));
Deno.exit(7);
`;

/** What is in a folder goes with it. */
const folder = (path: string) =>
  PATHS.filter((other) => other === path || other.startsWith(`${path}/`))
    .flatMap((path) => [`read ${path}`, `write ${path}`]);
const anywhere = [...PLACES, ...SOCKETS.map((folder) => `socket in ${folder}`), "net"];
/** What `start` may: its folder, its address, its socket, and to read its Worker's source. */
const server = (path: string, place: string) => [
  ...folder(path),
  "read protocol",
  place,
  `socket in ${path}`,
];
const backup = ["read file", "write file", "read file.new", "write file.new"];

const CASES: readonly [args: string[], env: Record<string, string>, granted: string[]][] = [
  [["start", "--data", "a"], { DATA: "b" }, server("a", "0.0.0.0:9000")],
  [["start"], { DATA: "b", PORT: ":1" }, server("b", "0.0.0.0:1")],
  [["start"], {}, server("from .env", "0.0.0.0:9000")],
  [["start", "--port", "[::1]:9000"], { DATA: "b" }, server("b", "[::1]:9000")],
  [["start", "--port", "no port"], { DATA: "b" }, []],
  [["connect", "--home=a"], {}, [...folder("a"), "127.0.0.1:9000"]],
  [["connect"], { BROADCAST_HOME: "b", PORT: "1" }, [...folder("b"), "127.0.0.1:1"]],
  [["connect", "--home", "a", "--plain", "[::1]"], {}, [...folder("a"), "[::1]:9000"]],
  [["connect", "--home=a", "broadcast://Example.org:1"], {}, [...folder("a"), "example.org:1"]],
  [
    ["connect", "--home=a"],
    { BROADCAST_LINK: `example.org#${"f".repeat(43)}` },
    [...folder("a"), "example.org:9000"],
  ],
  [["connect", "--home=a", "--ask"], {}, [...folder("a"), ...anywhere]],
  [["connect", "--home=a", "--link-file=link"], {}, [...folder("a"), "read link", ...anywhere]],
  [["connect", "--home=a", "--hmoe=b"], {}, []],
  [
    ["connect", "--home=a", "--passphrase-file", "file"],
    {},
    [...folder("a"), "read file", "127.0.0.1:9000"],
  ],
  [["passphrase", "--home", "a", "--remove"], { BROADCAST_HOME: "b" }, folder("a")],
  [
    ["passphrase", "--passphrase-file=file", "--new-file=link"],
    { BROADCAST_HOME: "b" },
    [...folder("b"), "read file", "read link"],
  ],
  [
    ["admin", "rooms", "--data", "a"],
    { DATA: "b" },
    ["read a/admin.sock", "write a/admin.sock", "socket in a"],
  ],
  [["admin", "--data"], { DATA: "b" }, []],
  [["backup", "file"], { DATA: "b" }, [...folder("b"), ...backup, "socket in b"]],
  [["backup", "--data=a", "--force", "file"], {}, [...folder("a"), ...backup, "socket in a"]],
  [["backup"], { DATA: "b" }, [...folder("b"), "socket in b"]],
  [["restore", "file", "--data", "a"], {}, [...folder("a"), "read file"]],
  [
    ["doctor"],
    { DATA: "b" },
    [...folder("b"), "0.0.0.0:9000", "127.0.0.1:9000", "socket in b", "statfs"],
  ],
];

for (const [args, env, granted] of CASES) {
  const command = [...Object.entries(env).map((pair) => pair.join("=")), "task", ...args].join(" ");
  Deno.test(`\`${command}\` may use ${granted.join(", ") || "nothing"}`, async () => {
    const project = await Deno.makeTempDir();
    try {
      await copyProject(project);
      const { code, stdout, stderr } = await runTask(project, args, env);
      assertEquals(JSON.parse(stdout || "{}"), { args, granted }, stderr);
      assertEquals(code, 7);
    } finally {
      await Deno.remove(project, { recursive: true });
    }
  });
}

/** The project with a main.ts that only says what it may do. */
async function copyProject(to: string): Promise<void> {
  for (const folder of [".", "cli", "protocol", "tools"]) {
    await Deno.mkdir(`${to}/${folder}`, { recursive: true });
    for await (const { name, isFile } of Deno.readDir(`${ROOT}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (isFile && /\.(ts|lock)$/.test(name)) {
        await Deno.copyFile(`${ROOT}/${path}`, `${to}/${path}`);
      }
    }
  }
  const config = await Deno.readTextFile(`${ROOT}/deno.json`);
  await Deno.writeTextFile(`${to}/deno.json`, config.replaceAll(`"./std/`, `"${ROOT}/std/`));
  await Deno.writeTextFile(`${to}/.env`, "DATA='from .env'");
  await Deno.writeTextFile(`${to}/main.ts`, PROBE);
}

async function runTask(cwd: string, args: string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", ...args],
    cwd,
    env: { DATA: "", PORT: "", BROADCAST_HOME: "", BROADCAST_LINK: "", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
