import { assert, assertEquals } from "@std/assert";

const root = `${import.meta.dirname}/..`;

/** Paths and patterns in the table of docs/ARCHITECTURE.md; a name alone is in the folder before it. */
async function listed(): Promise<string[]> {
  const text = await Deno.readTextFile(`${root}/docs/ARCHITECTURE.md`);
  const cells = [...text.matchAll(/^\| (`[^|]*`) +\|/gm)].map(([, cell]) => cell!);
  return cells.flatMap((cell) => {
    let folder = "";
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => {
      const isWhole = name.slice(0, -1).includes("/");
      if (isWhole) folder = name.slice(0, name.lastIndexOf("/") + 1);
      return isWhole || folder === "" ? name : folder + name;
    });
  });
}

async function modules(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    if (isDirectory) found.push(...await modules(`${folder}/${name}`));
    else if (name.endsWith(".ts")) found.push(`${folder}/${name}`);
  }
  return found.sort();
}

/** Whether a place of the table holds a module: a folder, a file, or a name with a star. */
function holds(place: string, module: string): boolean {
  if (place.endsWith("/")) return module.startsWith(place);
  const [before = "", after] = place.split("*");
  return after === undefined
    ? module === place
    : module.startsWith(before) && module.endsWith(after) &&
      !module.slice(before.length).includes("/");
}

Deno.test("every module is found in the table of docs/ARCHITECTURE.md, and nothing else is there", async () => {
  const places = await listed();
  const folders = ["protocol", "crypto", "server", "client", "cli"];
  const all = (await Promise.all(folders.map(modules))).flat();
  const isFound = (module: string) => places.some((place) => holds(place, module));
  assertEquals(all.filter((module) => !isFound(module)), []);
  const ours = places.filter((place) => folders.includes(place.split("/")[0]!));
  assertEquals(ours.filter((place) => !all.some((module) => holds(place, module))), []);
  assertEquals(places.filter((place, at) => places.indexOf(place) < at), [], "listed twice");
});

Deno.test("what the documents link to and name is there", async () => {
  const missing: string[] = [];
  const mustExist = async (path: string, document: string) => {
    if (!await Deno.stat(`${root}/${path}`).catch(() => undefined)) {
      missing.push(`${document}: ${path}`);
    }
  };
  for (const document of await documents()) {
    const text = await Deno.readTextFile(`${root}/${document}`);
    const folder = document.slice(0, document.lastIndexOf("/") + 1);
    for (const [, target = ""] of text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      await mustExist(folder + target, document);
    }
    const named = /`((?:protocol|crypto|server|client|cli|tests|bench|docs)\/[\w/]+\.(?:ts|md))`/g;
    for (const [, path = ""] of text.matchAll(named)) await mustExist(path, document);
  }
  assertEquals(missing, []);
});

/** All that is written for people, from the project's folder. */
async function documents(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ["", "docs/", "docs/adr/", "protocol/"]) {
    for await (const { name } of Deno.readDir(`${root}/${folder}`)) {
      if (name.endsWith(".md")) found.push(folder + name);
    }
  }
  return found.sort();
}

Deno.test("every promise of docs/PROMISES.md names its tests, and they are there", async () => {
  const text = await Deno.readTextFile(`${root}/docs/PROMISES.md`);
  const rows = [...text.matchAll(/^\| (.*?) +\| (.*?) +\|$/gm)].slice(1);
  for (const [, promise, cell = ""] of rows) {
    if (promise === "promise" || cell.startsWith("---")) continue;
    for (const path of cell.split(", ")) {
      const place = await Deno.stat(`${root}/${path}`).catch(() => undefined);
      assert(path.startsWith("tests/") && place, `${promise}: there is no ${path}`);
    }
  }
});
