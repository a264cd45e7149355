/**
 * The types of `@std/cli/parse-args`: flags named in the options have the type that the options give
 * them, all others are `unknown`. So are flags with a dot in their name, which arrive nested.
 */

/** One name or several. */
type Names<T extends string> = T | readonly T[];

/** Of these names, those whose type is known: literals without a dot. */
type Known<T extends string> = string extends T ? never
  : T extends `${string}.${string}` ? never
  : T;

type Aliases = Readonly<Record<string, Names<string>>>;

export interface ParseOptions<
  TBooleans extends string = string,
  TStrings extends string = string,
  TCollect extends string = string,
  TNegatable extends string = string,
  TDefaults extends object = Record<string, unknown>,
  TAliases extends Aliases = Aliases,
  TDoubleDash extends boolean = boolean,
> {
  /** Put what follows `--` into `["--"]` instead of `_`. */
  "--"?: TDoubleDash;
  /** Other names of a flag. */
  alias?: TAliases;
  /** Flags without a value; `true`: every `--flag` that has no `=`. They default to `false`. */
  boolean?: boolean | Names<TBooleans>;
  /** Flags whose value stays a string, even if it looks like a number. */
  string?: Names<TStrings>;
  /** Flags that may be given many times. They default to `[]`. */
  collect?: Names<TCollect>;
  /** Flags that `--no-flag` sets to `false`. */
  negatable?: Names<TNegatable>;
  /** Values of flags that were not given. */
  default?: TDefaults;
  /** Leave all that follows the first argument that is not a flag in `_`. */
  stopEarly?: boolean;
  /** Called for each argument that no option names; `false` drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The value of one flag when it was given. */
type Given<K, TBooleans, TStrings, TNegatable> =
  | (K extends TStrings ? string : K extends TBooleans ? boolean : unknown)
  | (K extends TNegatable ? false : never);

type Value<K, TBooleans, TStrings, TCollect, TNegatable> = K extends TCollect
  ? Given<K, TBooleans, TStrings, never>[] | (K extends TNegatable ? false : never)
  : Given<K, TBooleans, TStrings, TNegatable>;

/** The flags that are always there: booleans and lists, and those with a default. */
type Always<TBooleans, TStrings, TCollect, TNegatable, TDefaults> = {
  [K in (TBooleans | TCollect | Known<keyof TDefaults & string>) & string]:
    | Value<K, TBooleans, TStrings, TCollect, TNegatable>
    | (K extends keyof TDefaults ? TDefaults[K] : never);
};

/** The flags that are there when they were given. */
type Sometimes<TBooleans, TStrings, TCollect, TNegatable, TDefaults> = {
  [K in Exclude<TStrings | TNegatable, TBooleans | TCollect | keyof TDefaults> & string]?: Value<
    K,
    TBooleans,
    TStrings,
    TCollect,
    TNegatable
  >;
};

type Flags<TBooleans, TStrings, TCollect, TNegatable, TDefaults> =
  & Always<TBooleans, TStrings, TCollect, TNegatable, TDefaults>
  & Sometimes<TBooleans, TStrings, TCollect, TNegatable, TDefaults>;

/** The same flags under all their names. */
type WithAliases<TFlags, TAliases> =
  & TFlags
  & {
    [
      K in keyof TFlags as K extends keyof TAliases
        ? TAliases[K] extends Names<infer TName> ? Known<TName> : never
        : never
    ]: TFlags[K];
  };

export type Args<
  TFlags = unknown,
  TDoubleDash extends boolean = false,
> =
  & { [flag: string]: unknown }
  & TFlags
  & {
    /** The arguments that are not flags; those that look like numbers are numbers. */
    _: (string | number)[];
  }
  & (TDoubleDash extends true ? { "--": string[] } : unknown);

/** Reads flags and arguments from `args`. */
export function parseArgs<
  const TBooleans extends string = never,
  const TStrings extends string = never,
  const TCollect extends string = never,
  const TNegatable extends string = never,
  TDefaults extends object = Record<never, never>,
  const TAliases extends Aliases = Record<never, never>,
  const TDoubleDash extends boolean = false,
>(
  args: readonly string[],
  options?: ParseOptions<
    TBooleans,
    TStrings,
    TCollect,
    TNegatable,
    TDefaults,
    TAliases,
    TDoubleDash
  >,
): Args<
  WithAliases<
    Flags<Known<TBooleans>, Known<TStrings>, Known<TCollect>, Known<TNegatable>, TDefaults>,
    TAliases
  >,
  TDoubleDash
>;
