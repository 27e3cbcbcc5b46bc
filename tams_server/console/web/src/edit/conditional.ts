// Changes of single members that overwrite nobody else's change: each depends on what the person saw.
import { ApiError, getIfChanged, send } from "../api";

/** The member has another value than the one that the person saw. now: undefined if it is not set. */
export class ChangedMeanwhile extends Error {
  constructor(readonly now: unknown) {
    super("it has been changed meanwhile");
    this.name = "ChangedMeanwhile";
  }
}

/**
 * Set a member of a resource, or delete it. path: of the member. seen, wanted: undefined if it is not set.
 * Throws ChangedMeanwhile if the member is no longer as seen, and ApiError.
 */
export async function changeMember(path: string, seen: unknown, wanted: unknown): Promise<void> {
  const condition = seen === undefined ? { ifNoneMatch: "*" } : { ifMatch: await entityTagOf(path, seen) };
  try {
    if (wanted === undefined) await send("DELETE", path, condition);
    else await send("PUT", path, { ...condition, body: wanted });
  } catch (error) {
    if (error instanceof ApiError && error.status === 412) throw new ChangedMeanwhile(await read(path));
    throw error;
  }
}

async function entityTagOf(path: string, seen: unknown): Promise<string | undefined> {
  let found;
  try {
    found = await getIfChanged<unknown>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) throw new ChangedMeanwhile(undefined);
    throw error;
  }
  if (JSON.stringify(found?.data) !== JSON.stringify(seen)) throw new ChangedMeanwhile(found?.data);
  return found?.etag;
}

async function read(path: string): Promise<unknown> {
  try {
    return (await getIfChanged<unknown>(path))?.data;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
