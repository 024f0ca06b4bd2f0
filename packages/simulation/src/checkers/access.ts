import type { Checker, Finding, Run } from "./checker.js";

/**
 * Only members who may write do (DESIGN §6): what the server takes in, and what it refuses as forbidden, is judged by the
 * role that was committed last. What a backup that comes into the server's place says of roles nobody has written down.
 */
export const access: Checker = {
  name: "access",
  rule: "§6",
  promise: "Nobody writes who may not, and nobody is refused who may.",
  check({ entries, lineage, history }: Run) {
    const findings: Finding[] = [];
    /** By space and user; undefined for who is no member. */
    const roles = new Map<string, string | undefined>();
    for (const [, entry] of entries.of("member", "generation", "commit")) {
      const { space } = entry;
      if (entry.type === "member") roles.set(`${space} ${entry.user}`, entry.role);
      else if (entry.type === "generation") {
        if (entry.reason !== "wiped")
          for (const user of Object.values(history.users)) roles.delete(`${space} ${user}`);
      } else
        for (const { status, event, ...decided } of entry.decided) {
          const issue = event === undefined ? undefined : lineage.issues.get(event);
          const user = history.users[issue?.device ?? ""];
          const member = `${space} ${user}`;
          if (!roles.has(member)) continue;
          const role = roles.get(member);
          const mayWrite = role === "owner" || role === "writer";
          const isForbidden = status === "rejected" && "code" in decided && decided.code === "forbidden";
          if (status === "applied" ? mayWrite : !isForbidden || role === "reader") continue;
          findings.push({
            at: entry.at,
            message: `${space}: ${event} by ${issue?.device} of ${user}, ${role ?? "no member"}, was ${isForbidden ? "forbidden" : "applied"}`,
          });
        }
    }
    return findings;
  },
};
