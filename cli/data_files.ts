/** What lies in the server's folder, beside what server/data_folder.ts reads. */

/** The store. */
export const storeFile = (folder: string): string => `${folder}/broadcast.sqlite`;
/** Where a running server listens to its operator. */
export const socketFile = (folder: string): string => `${folder}/admin.sock`;
/** Here until a restore has been done to its end. */
export const restoringFolder = (folder: string): string => `${folder}/restoring`;

/** Whether there is something at a path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw cause;
  }
}

/** The name of a copy of the store that is to become a backup. */
export const copyName = (): string => `backup-${crypto.randomUUID()}.sqlite`;

/** Copies of the store and unfinished restores, as somebody who was interrupted left them. */
const leftover = /^(backup-[0-9a-f-]{36}\.sqlite.*|restoring\.new)$/;

/** Removes what interrupted backups and restores left. */
export async function removeLeftovers(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (leftover.test(name)) await Deno.remove(`${folder}/${name}`, { recursive: true });
  }
}
