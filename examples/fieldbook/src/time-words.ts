/** A time of day when it is today, else the day with it: short, and never wrong a minute later. */
export function timeWords(at: number, now: number, locale?: string): string {
  const date = new Date(at);
  const clock = date.toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit" });
  if (date.toDateString() === new Date(now).toDateString()) return clock;
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  const day = date.toLocaleDateString(locale, {
    day: "numeric",
    month: "short",
    ...(sameYear ? {} : { year: "numeric" }),
  });
  return `${day}, ${clock}`;
}

/** "1 change", "2 changes". */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

/** How long something is, roughly: "4 minutes", "3 days". */
export function spanWords(ms: number): string {
  const minutes = Math.abs(ms) / 60_000;
  if (minutes < 1) return count(Math.max(1, Math.round(minutes * 60)), "second");
  if (minutes < 90) return count(Math.round(minutes), "minute");
  if (minutes < 36 * 60) return count(Math.round(minutes / 60), "hour");
  if (minutes < 500 * 24 * 60) return count(Math.round(minutes / 60 / 24), "day");
  return count(Math.round(minutes / 60 / 24 / 365), "year");
}
