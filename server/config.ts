/**
 * What an operator decides: one table of settings, from which come the configuration, its errors, the
 * help text, and the check that `.env.example` is complete.
 *
 * @module
 */

import { z } from "zod";
import { parseAddress } from "../protocol/address.ts";
import { registrations } from "../protocol/command.ts";
import { loginBurst, loginsPerMinute, loginTimeoutMs } from "../protocol/limits.ts";

/** One setting: its variable, its flag, and what it may be. */
interface Setting<T> {
  /** The flag without dashes; the variable is this in capitals, with underscores. */
  readonly flag: string;
  readonly fallback: string;
  /** For the help text: what it is, with its unit. */
  readonly about: string;
  /** What would be right, for the error. */
  readonly right: string;
  readonly parse: z.ZodType<T, string>;
}

const count = (max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(1).max(max));

function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return { right: values.join(", ").replace(/, (?=[^,]*$)/, " or "), parse: z.enum(values) };
}

function upTo(max: number) {
  return { right: `a whole number from 1 to ${max}`, parse: count(max) };
}

const address = z.string().transform((text, context) => {
  try {
    return parseAddress(text);
  } catch {
    context.issues.push({ code: "custom", message: "no address", input: text });
    return z.NEVER;
  }
});

/** Whether it is a host, perhaps with a port. */
function isHost(text: string): boolean {
  const result = address.safeParse(text);
  return result.success && result.data.host !== "";
}

/** Every setting of the server. */
export const settings = {
  port: {
    flag: "port",
    fallback: ":9000",
    about: "where to listen: a port, or an address with one",
    right: "9000, :9000, 127.0.0.1:9000 or [::1]:9000",
    parse: address,
  },
  data: {
    flag: "data",
    fallback: "./data",
    about: "the folder of the server's identity, its invitation and all that it keeps",
    right: "the path of a folder",
    parse: z.string().min(1),
  },
  join: {
    flag: "join",
    fallback: "invite",
    about: "whether new users from other machines need an invitation, or nobody new is taken; " +
      "an admin may decide otherwise",
    ...oneOf(registrations),
  },
  classic: {
    flag: "classic",
    fallback: "loopback",
    about: "from where clients of the original, unprotected protocol are let in",
    ...oneOf(["loopback", "on", "off"]),
  },
  linkHost: {
    flag: "link-host",
    fallback: "",
    about: "the host in the link that is printed; without it, an address of this machine",
    right: "chat.example.org or chat.example.org:9000",
    parse: z.string().refine((text) => text === "" || isHost(text)),
  },
  quiet: {
    flag: "quiet",
    fallback: "off",
    about: "whether to leave out the lines about connections: they hold addresses",
    ...oneOf(["on", "off"]),
  },
  logLevel: {
    flag: "log-level",
    fallback: "info",
    about: "what is logged on standard error",
    ...oneOf(["debug", "info", "warning", "error", "off"]),
  },
  logFormat: {
    flag: "log-format",
    fallback: "text",
    about: "how it is logged",
    ...oneOf(["text", "json"]),
  },
  connectionsMax: {
    flag: "connections-max",
    fallback: "10000",
    about: "connections in all; keep it below the process's limit of open files",
    ...upTo(1_000_000),
  },
  handshakesMax: {
    flag: "handshakes-max",
    fallback: "256",
    about: "connections that may be logging in at once",
    ...upTo(100_000),
  },
  addressConnectionsMax: {
    flag: "address-connections-max",
    fallback: "16",
    about: "connections from one address (IPv6: /64) that may be logging in; not from this machine",
    ...upTo(100_000),
  },
  userConnectionsMax: {
    flag: "user-connections-max",
    fallback: "16",
    about: "connections of one user",
    ...upTo(100_000),
  },
  usersMax: {
    flag: "users-max",
    fallback: "100000",
    about: "names that the server remembers",
    ...upTo(10_000_000),
  },
  loginBurst: {
    flag: "login-burst",
    fallback: String(loginBurst),
    about: "logins from one address (IPv6: /64) at once; not from this machine",
    ...upTo(1_000_000_000),
  },
  loginsPerMinute: {
    flag: "logins-per-minute",
    fallback: String(loginsPerMinute),
    about: "logins a minute from one address after that",
    ...upTo(1_000_000_000),
  },
  publishBurst: {
    flag: "publish-burst",
    fallback: "20",
    about: "messages that a user may send at once",
    ...upTo(1_000_000_000),
  },
  publishPerSecond: {
    flag: "publish-per-second",
    fallback: "5",
    about: "messages a second that a user may send after that",
    ...upTo(1_000_000_000),
  },
  framesPerSecond: {
    flag: "frames-per-second",
    fallback: "1000",
    about: "frames a second that a session may send before it is read more slowly",
    ...upTo(1_000_000_000),
  },
  bytesPerSecond: {
    flag: "bytes-per-second",
    fallback: "1048576",
    about: "bytes a second that a session may send before it is read more slowly",
    ...upTo(1_000_000_000_000),
  },
  retentionDays: {
    flag: "retention-days",
    fallback: "90",
    about: "days that messages are kept; 0 for ever",
    right: "a whole number from 0 to 36500",
    parse: z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(0).max(36_500)),
  },
  loginTimeoutMs: {
    flag: "login-timeout-ms",
    fallback: String(loginTimeoutMs),
    about: "milliseconds that a login may take in all",
    ...upTo(600_000),
  },
} as const satisfies Record<string, Setting<unknown>>;

type Settings = typeof settings;

/** The configuration, checked and frozen. */
export type Config = { readonly [Name in keyof Settings]: z.output<Settings[Name]["parse"]> };

/** A setting that is not as it should be; its message says which, and what would be right. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The environment variable of a flag. */
export function variableOf(flag: string): string {
  return flag.toUpperCase().replaceAll("-", "_");
}

/** Where values come from, the most important first. */
export interface ConfigSources {
  /** By flag name. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What `.env` says. */
  readonly file: Readonly<Record<string, string | undefined>>;
}

/**
 * The configuration: flags over environment over `.env` over defaults; what is empty counts as not set.
 *
 * @throws {ConfigError} for a bad value
 */
export function loadConfig({ flags, env, file }: ConfigSources): Config {
  const entries = Object.entries(settings).map(([name, setting]) => {
    const variable = variableOf(setting.flag);
    const sources = [
      { value: flags[setting.flag], origin: `--${setting.flag}` },
      { value: env[variable], origin: variable },
      { value: file[variable], origin: `${variable} in .env` },
    ];
    const { value, origin } = sources.find(({ value }) => value) ??
      { value: setting.fallback, origin: "the default" };
    const result = setting.parse.safeParse(value!.trim());
    if (!result.success) {
      throw new ConfigError(`${origin} is "${value}". Right would be ${setting.right}.`);
    }
    return [name, result.data];
  });
  return Object.freeze(Object.fromEntries(entries)) as Config;
}
