import type { ReactNode } from "react";

/** Line drawings on a grid of 20; each stands beside words or in a button that is labelled, so none speaks. */
const drawings = {
  add: "M10 4v12M4 10h12",
  back: "M12 4l-6 6 6 6",
  next: "M8 4l6 6-6 6",
  down: "M5 8l5 5 5-5",
  check: "M4 10.5l4 4 8-9",
  cross: "M5 5l10 10M15 5L5 15",
  inbox: "M3 11l2.5-7h9L17 11v5H3v-5zm0 0h4l1 2h4l1-2h4",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zm3.7 8.7L17 17",
  clock: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm0 3v4l2.5 2",
  flag: "M5 17V4h9l-2 3 2 3H5",
  trash: "M4 6h12M8 6V4h4v2m-6 0l1 11h6l1-11",
  edit: "M4 16l1-4 8-8 3 3-8 8-4 1z",
  people:
    "M7 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zm-5 8c0-4 2-6 5-6s5 2 5 6m1-14a3 3 0 0 1 0 6m2 2c2 .6 3 2.600 3 6",
  site: "M4 17V7l6-4 6 4v10M4 17h12M8 17v-5h4v5",
  place: "M10 17s-5-5-5-9a5 5 0 0 1 10 0c0 4-5 9-5 9zm0-7a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  sync: "M16 8a6 6 0 0 0-11-2M4 3v4h4M4 12a6 6 0 0 0 11 2m1 3v-4h-4",
} as const;

export type IconName = keyof typeof drawings;

export function Icon({ name }: { readonly name: IconName }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={drawings[name]} />
    </svg>
  );
}
