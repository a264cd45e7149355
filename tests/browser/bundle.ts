/** A module and all that it imports as one script for browsers. */

/**
 * Bundles a module of this repository.
 *
 * @param path from the root
 */
export async function bundle(path: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const output = `${folder}/bundle.js`;
    const args = ["bundle", "-q", "--frozen", "--platform", "browser", "--minify", "-o", output];
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args, path],
      cwd: `${import.meta.dirname}/../..`,
      stdin: "null",
      env: { NO_COLOR: "1" },
    });
    const { success, stderr } = await command.output();
    if (!success) throw new Error(`Cannot bundle ${path}: ${new TextDecoder().decode(stderr)}`);
    return await Deno.readTextFile(output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * What a script takes from a runtime other than a browser. The word `Deno` is not looked at for what
 * it is: a minified script has no comments, and our texts and names do without the word, so that it
 * can only be the global. `node:` stands before a name in quotes where a module is meant; a property
 * called `node` has none around it.
 */
export function runtimeReferences(script: string): string[] {
  return [...script.matchAll(/.{0,40}(?:\bDeno\b|["'`]node:).{0,40}/g)].map(([found]) => found);
}

/** Its size on the disk and on the way. */
export async function sizes(script: string): Promise<string> {
  const squeezed = new Blob([script]).stream().pipeThrough(new CompressionStream("gzip"));
  const { byteLength } = await new Response(squeezed).arrayBuffer();
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
  return `${kilobytes(new TextEncoder().encode(script).length)}, ${kilobytes(byteLength)} gzipped`;
}
