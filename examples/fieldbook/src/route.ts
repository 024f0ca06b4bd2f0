import { useSyncExternalStore } from "react";

/** What is on the screen. It is in the address, so that back, reload and a link all work. */
export type Route =
  | { readonly view: "start" }
  | { readonly view: "projects"; readonly site: string }
  | { readonly view: "project"; readonly site: string; readonly project: string }
  | { readonly view: "inbox"; readonly site: string };

export function parseRoute(hash: string): Route {
  const [site, view, project] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (!site) return { view: "start" };
  if (view === "project" && project) return { view, site, project };
  return { view: view === "inbox" ? view : "projects", site };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

export function hashOf(route: Route): string {
  if (route.view === "start") return "#/";
  const parts =
    route.view === "projects"
      ? [route.site]
      : route.view === "inbox"
        ? [route.site, "inbox"]
        : [route.site, "project", route.project];
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export function goTo(route: Route, how: "push" | "replace" = "push"): void {
  if (how === "replace") location.replace(hashOf(route));
  else location.hash = hashOf(route);
}

let known: { readonly hash: string; readonly route: Route } | undefined;

/** The same object for as long as the address is the same. */
function currentRoute(): Route {
  const { hash } = location;
  if (known?.hash !== hash) known = { hash, route: parseRoute(hash) };
  return known.route;
}

export function useRoute(): Route {
  return useSyncExternalStore((listener) => {
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, currentRoute);
}
