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
});

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
