// Commands for people to copy.

/** A word of a command, quoted for a POSIX shell if it must be. */
export function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
