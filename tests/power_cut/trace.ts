/**
 * What a program does to its files, in the order in which it does so, as strace sees it.
 *
 * @module
 */

/** Something done to a file, or something said. */
export type Event =
  | {
    readonly type: "write";
    readonly path: string;
    readonly at: number;
    readonly data: Uint8Array;
  }
  | { readonly type: "truncate"; readonly path: string; readonly size: number }
  | { readonly type: "remove"; readonly path: string }
  /** Of a file, or of the folder: what was removed from it is gone then. */
  | { readonly type: "sync"; readonly path: string }
  | { readonly type: "said"; readonly text: string };

const recorder = new URL("recorded.ts", import.meta.url).pathname;
const root = new URL("../../", import.meta.url).pathname;

/** Whether strace is here and may be used. */
export async function canTrace(): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", "strace -f -e trace=none true"],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** Runs the recorded program, and gives what it did to the files that begin with `path`. */
export async function record(
  path: string,
  { seed, count, isSynced }: { seed: number; count: number; isSynced: boolean },
): Promise<Event[]> {
  const log = `${path}.strace`;
  const calls = "write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,unlink,fallocate,mmap";
  const strace = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", `trace=${calls}`, "-o", log];
  const folder = path.replace(/[^/]*$/, "");
  const deno = [
    ...[Deno.execPath(), "run", "-q", "--no-prompt", "--frozen"],
    ...[`--allow-read=${root},${folder}`, `--allow-write=${folder}`],
    ...[recorder, path, `${seed}`, `${count}`, isSynced ? "synced" : "unsynced"],
  ];
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", `exec "$@"`, "sh", ...strace, ...deno],
    stdout: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return parse(await Deno.readTextFile(log), path);
}

/** The events in a log of strace. */
export function parse(log: string, path: string): Event[] {
  const unfinished = new Map<string, string>();
  const events: Event[] = [];
  for (const line of log.split("\n")) {
    const [, pid = "", text = ""] = line.match(/^(\d+)\s+(.*)$/) ?? [];
    const begun = text.match(/^(.*) <unfinished \.\.\.>$/)?.[1];
    if (begun !== undefined) {
      unfinished.set(pid, begun);
      continue;
    }
    const rest = text.match(/^<\.\.\. \w+ resumed>(.*)$/)?.[1];
    const event = eventOf(rest === undefined ? text : unfinished.get(pid) + rest, path);
    if (event) events.push(event);
  }
  return events;
}

function eventOf(text: string, path: string): Event | undefined {
  const [, call, fd, file = "", args = ""] = text.match(/^(\w+)\((\d+)<([^>]*)>(.*)/) ?? [];
  const name = unescape(file);
  if (fd === "1" && call === "write") return { type: "said", text: textOf(stringIn(args)) };
  const removed = unescape(text.match(/^unlink\("([^"]*)"\)\s+= 0/)?.[1] ?? "");
  if (removed.startsWith(path)) return { type: "remove", path: removed };
  if (call === "fsync" && `${name}/` === path.replace(/[^/]*$/, "")) {
    return { type: "sync", path: name };
  }
  if (!name.startsWith(path) || name.endsWith(".lock") || name.endsWith(".strace")) {
    return undefined;
  }
  switch (call) {
    case "pwrite64": {
      const [, length = "", at = "", result] = args.match(/", (\d+), (\d+)\)\s+= (\S+)/) ?? [];
      const data = stringIn(args);
      const isWhole = result === length || result === "?"; // The process ended meanwhile.
      if (!isWhole || data.length !== Number(length)) {
        throw new Error(`Half a write: ${name}`);
      }
      return { type: "write", path: name, at: Number(at), data };
    }
    case "fsync":
    case "fdatasync":
      return /= 0$/.test(args) ? { type: "sync", path: name } : undefined;
    case "ftruncate":
      return { type: "truncate", path: name, size: Number(args.match(/^, (\d+)\)/)?.[1]) };
    default:
      throw new Error(`Not understood: ${call} of ${name}`);
  }
}

function stringIn(args: string): Uint8Array {
  const escaped = args.match(/^, "([^"]*)"/)?.[1] ?? "";
  return Uint8Array.fromHex(escaped.replaceAll("\\x", ""));
}

function unescape(text: string): string {
  return text.includes("\\x") ? textOf(Uint8Array.fromHex(text.replaceAll("\\x", ""))) : text;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
