import { assertEquals } from "@std/assert";

const ROOT = `${import.meta.dirname}/..`;

/** Stands in for main.ts: says what it may do. */
const PROBE = `
const may = (descriptor: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(descriptor).state === "granted";
const files = Object.fromEntries(["a", "b", "from .env"].map((path) => [
  path,
  may({ name: "read", path }) && may({ name: "write", path }),
]));
const nets = Object.fromEntries(["0.0.0.0:1", "10.0.0.1:1", "example.org:1"].map((host) => [
  host,
  may({ name: "net", host }),
]));
console.log(JSON.stringify({ args: Deno.args, ...files, ...nets, run: may({ name: "run" }) }));
Deno.exit(7);
`;

const nothing = {
  "a": false,
  "b": false,
  "from .env": false,
  "0.0.0.0:1": false,
  "10.0.0.1:1": false,
  "example.org:1": false,
  "run": false,
};

const CASES: readonly [args: string[], env: Record<string, string>, granted: string[]][] = [
  [["start", "--data", "a"], { DATA: "b" }, ["a", "0.0.0.0:1"]],
  [["start"], { DATA: "b", PORT: ":9000" }, ["b", "0.0.0.0:1"]],
  [["start"], {}, ["from .env", "0.0.0.0:1"]],
  [["start", "--port", "10.0.0.1:9000"], { DATA: "b" }, ["b", "10.0.0.1:1"]],
  [["connect", "--home=a"], {}, ["a", "0.0.0.0:1", "10.0.0.1:1", "example.org:1"]],
  [["connect"], { BROADCAST_HOME: "b" }, ["b", "0.0.0.0:1", "10.0.0.1:1", "example.org:1"]],
];

for (const [args, env, granted] of CASES) {
  const command = [...Object.entries(env).map((pair) => pair.join("=")), "task", ...args].join(" ");
  Deno.test(`\`${command}\` may use ${granted.join(", ")}`, async () => {
    const project = await Deno.makeTempDir();
    try {
      await copyProject(project);
      const { code, stdout, stderr } = await runTask(project, args, env);
      const expected = { args, ...nothing, ...Object.fromEntries(granted.map((of) => [of, true])) };
      assertEquals(JSON.parse(stdout || "{}"), expected, stderr);
      assertEquals(code, 7);
    } finally {
      await Deno.remove(project, { recursive: true });
    }
  });
}

/** The project with a main.ts that only says what it may do. */
async function copyProject(to: string): Promise<void> {
  await Deno.mkdir(`${to}/tools`);
  for (const path of ["deno.lock", "launch.ts", "folders.ts", "tools/deno_path.ts"]) {
    await Deno.copyFile(`${ROOT}/${path}`, `${to}/${path}`);
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
    env: { DATA: "", PORT: "", BROADCAST_HOME: "", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
