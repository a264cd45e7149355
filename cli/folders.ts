/** Where a server and a client keep what must last. */

/** The values that flags, environment and `.env` give, the first that is set first. */
export interface FolderSettings {
  /** `--data` or `--home`. */
  readonly flag?: string | undefined;
  /** The environment, over what `.env` says. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The server's folder: its identity and its store. */
export function dataFolder({ flag, env }: FolderSettings): string {
  return flag || env["DATA"] || "./data";
}

/**
 * The client's folder: its identities and the servers it knows. By default a folder of its own where
 * the platform keeps configuration; `undefined` if the environment does not say where that is.
 */
export function identityFolder(
  { flag, env }: FolderSettings,
  os: typeof Deno.build.os,
): string | undefined {
  const chosen = flag || env["BROADCAST_HOME"];
  if (chosen) return chosen;
  const { HOME, XDG_CONFIG_HOME, APPDATA } = env;
  switch (os) {
    case "windows":
      return APPDATA ? `${APPDATA}\\broadcast` : undefined;
    case "darwin":
      return HOME ? `${HOME}/Library/Application Support/broadcast` : undefined;
    default:
      if (XDG_CONFIG_HOME) return `${XDG_CONFIG_HOME}/broadcast`;
      return HOME ? `${HOME}/.config/broadcast` : undefined;
  }
}
