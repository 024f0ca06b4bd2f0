import { root } from "./child.mjs";

/**
 * Resolves the packages of the workspace to their sources, so that a bundle is made of what stands there now.
 *
 * @param {"node" | "browser"} platform whose sockets the client takes
 * @returns {import("esbuild").Plugin}
 */
export const sources = (platform) => ({
  name: "landfall-sources",
  setup({ onResolve }) {
    onResolve({ filter: /^#net$/ }, () => ({ path: `${root}/packages/client/src/${platform}-net.ts` }));
    onResolve({ filter: /^@landfall\// }, ({ path }) => {
      const [, name, ...rest] = path.split("/");
      return { path: `${root}/packages/${name}/src/${rest.length > 0 ? rest.join("/") : "index"}.ts` };
    });
  },
});
