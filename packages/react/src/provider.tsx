import type { Client } from "@landfall/client";
import type { Schema } from "@landfall/schema";
import { type ReactNode, createContext, createElement, useContext } from "react";

/** Told apart from undefined, which is what a server provides. */
const noProvider = Symbol("no provider");

const ClientContext = createContext<Client | undefined | typeof noProvider>(noProvider);

export interface LandfallProviderProps<S extends Schema> {
  /** Undefined while a server renders: it holds nobody's data, so everything shows as it does before it is opened. */
  readonly client: Client<S> | undefined;
  readonly children?: ReactNode;
}

/** Gives a client to the hooks below it. */
export function LandfallProvider<S extends Schema>({
  client,
  children,
}: LandfallProviderProps<S>): ReactNode {
  // Hooks are typed by the handles that they are given, not by the context.
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest provider; undefined where it provides none, on a server. @throws Error outside of a provider. */
export function useProvidedClient(): Client | undefined {
  const client = useContext(ClientContext);
  if (client === noProvider)
    throw new Error(
      "There is no LandfallProvider above this component. Wrap the app in <LandfallProvider client={client}>.",
    );
  return client;
}

/** The client of the nearest provider. @throws Error outside of a provider, and where it provides none. */
export function useClient(): Client {
  const client = useProvidedClient();
  if (!client)
    throw new Error(
      "The LandfallProvider above this component has no client, as on a server. Render what needs it in the browser only.",
    );
  return client;
}
