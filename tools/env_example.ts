/**
 * Prints `.env.example` from the tables of settings: `deno run tools/env_example.ts > .env.example`.
 *
 * @module
 */

import { clientVariables } from "../cli/env_file.ts";
import { settings, variableOf } from "../server/config.ts";

/** An example for the one value that must stand in quotes. */
const linkExample = "broadcast://chat.example.org:9000#fingerprint.invitation";

/** The text of `.env.example`. */
export function envExample(): string {
  const server = Object.values(settings).map(({ flag, fallback, about, right }) =>
    entry(variableOf(flag), fallback, `${about} (${right.replace("a whole number from ", "")})`)
  );
  const client = Object.entries(clientVariables).map(([name, about]) =>
    entry(name, name === "BROADCAST_LINK" ? `"${linkExample}"` : "", about)
  );
  return [intro, "# The server\n", ...server, "# The client\n", ...client].join("\n");
}

const intro =
  `# Copy this to .env, and take the # from what you change. All of it is optional: behind each name
# stands what counts without it. Flags win over the environment, the environment over this file.
`;

function entry(name: string, value: string, about: string): string {
  const mark = name === "PORT" ? "" : "#"; // The one that the original had.
  return `${comment(capital(about))}\n${mark}${name}=${value}\n`;
}

/** Comment lines of at most 100 characters. */
function comment(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (`# ${lines.at(-1)} ${word}`.length > 100) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines.map((line) => `# ${line}`).join("\n");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

if (import.meta.main) Deno.stdout.writeSync(new TextEncoder().encode(envExample()));
