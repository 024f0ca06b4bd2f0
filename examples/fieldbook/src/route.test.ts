import { expect, test } from "vitest";
import { type Route, hashOf, parseRoute } from "./route.js";

test("every place on the screen has an address that leads back to it", () => {
  const routes: readonly Route[] = [
    { view: "start" },
    { view: "projects", site: "site-7" },
    { view: "project", site: "site-7", project: "k:1~x" },
    { view: "inbox", site: "s/with space" },
  ];
  for (const route of routes) expect(parseRoute(hashOf(route))).toEqual(route);
});

test("an address that says nothing leads to the start, one that says too little to the list", () => {
  expect(parseRoute("")).toEqual({ view: "start" });
  expect(parseRoute("#/%E0%A4%A")).toEqual({ view: "start" });
  expect(parseRoute("#/site-7/project")).toEqual({ view: "projects", site: "site-7" });
  expect(parseRoute("#/site-7/elsewhere/x")).toEqual({ view: "projects", site: "site-7" });
});
