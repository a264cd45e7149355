/** The rules of docs/ARCHITECTURE.md about who may import whom, over a graph of modules. */

/** A module: what it imports (paths from the root of the repository, or names of packages) and its code. */
export interface Module {
  readonly imports: readonly string[];
  /** Without comments. */
  readonly code: string;
}

/** Modules by path from the root of the repository. */
export type Graph = ReadonlyMap<string, Module>;

/** Layer -> the layers below it. `main` is every module at the root. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  main: ["cli"],
  cli: ["server", "client", "protocol", "crypto"],
  server: ["protocol", "crypto"],
  client: ["protocol", "crypto"],
  web: ["client", "protocol", "crypto"],
  protocol: [],
  crypto: [],
  std: [],
};

/** Imports that only these do are free. */
const FREE = ["tests", "bench", "tools"];

/** Runs in a browser, with all that it imports. */
const NEUTRAL = /^(protocol|crypto)\/|^client\/(session|reconnect)\.ts$/;

/** Meets the outside world in one particular way; only `cli` chooses it. */
const ADAPTER =
  /\/(tcp|terminal|plain|files|data_folder|sqlite|postgres)\.ts$|^server\/store\/(?!store\.ts$)/;

const CLOCK = /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random)\b/;

/** Says of each breach what is wrong and what to do; empty when all is well. */
export function breaches(graph: Graph): string[] {
  return [
    ...[...graph].flatMap(([path, module]) =>
      FREE.includes(layer(path))
        ? []
        : [...importBreaches(path, module), ...codeBreaches(path, module)]
    ),
    ...runtimeBreaches(graph),
    ...circles(graph),
  ];
}

function importBreaches(from: string, { imports }: Module): string[] {
  return imports.filter(isLocal).flatMap((to) => {
    const [upper, lower] = [layer(from), layer(to)];
    if (upper !== lower && !BELOW[upper]?.includes(lower)) {
      const below = BELOW[upper]?.join(", ") || "nothing";
      return [`${from} imports ${to}: ${upper} may import ${below} beside itself`];
    }
    if (ADAPTER.test(to) && !ADAPTER.test(from) && upper !== "cli") {
      return [`${from} imports ${to}: only cli names an adapter; take it as an argument`];
    }
    return [];
  });
}

function codeBreaches(path: string, { code }: Module): string[] {
  const found: string[] = [];
  if (!["main", "cli", "std"].includes(layer(path)) && /\bDeno\.(args|env)\b/.test(code)) {
    found.push(
      `${path} reads Deno.args or Deno.env: main and cli do; take the value as an argument`,
    );
  }
  const clock = layer(path) === "protocol" && code.match(CLOCK);
  if (clock) {
    found.push(`${path} uses ${clock[0]}: protocol has no clock and no chance; take an argument`);
  }
  return found;
}

function runtimeBreaches(graph: Graph): string[] {
  const roots = [...graph.keys()].filter((path) => NEUTRAL.test(path));
  return [...reachable(graph, roots)].flatMap(([path, by]) => {
    const module = graph.get(path);
    const runtime = module?.code.match(/\bDeno\b(?=[.[])/)?.[0] ??
      module?.imports.find((name) => name.startsWith("node:"));
    const whose = path === by ? "it" : by;
    return runtime ? [`${path} uses ${runtime}: ${whose} must run in a browser`] : [];
  });
}

/** All that the roots import, with the root that leads there. */
function reachable(graph: Graph, roots: readonly string[]): Map<string, string> {
  const reached = new Map<string, string>(roots.map((root) => [root, root]));
  for (const [path, root] of reached) { // the map grows meanwhile
    for (const to of graph.get(path)?.imports.filter(isLocal) ?? []) {
      if (!reached.has(to)) reached.set(to, root);
    }
  }
  return reached;
}

function circles(graph: Graph): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push(`a circle: ${[...trail.slice(start), path].join(" -> ")}`);
    if (start >= 0 || done.has(path)) return;
    for (const to of graph.get(path)?.imports.filter(isLocal) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

function layer(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "main";
}

function isLocal(name: string): boolean {
  return name.endsWith(".ts");
}

/** Reads what a module of this path and text imports. */
export function parseModule(path: string, text: string): Module {
  const code = text
    .replaceAll(/\/\*[^]*?\*\//g, "")
    .replaceAll(/(^|\s)\/\/.*$/gm, "");
  const specifiers = [
    ...code.matchAll(/^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"/gm),
    ...code.matchAll(/\bimport\(\s*"([^"]+)"/g),
    ...code.matchAll(/\bnew URL\(\s*"([^"]+)",\s*import\.meta\.url/g),
  ];
  const base = `file:///${path}`;
  const imports = specifiers.map(([, specifier = ""]) =>
    specifier.startsWith(".") ? new URL(specifier, base).pathname.slice(1) : specifier
  );
  return { imports, code };
}
