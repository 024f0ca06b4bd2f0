import { LandfallProvider } from "@landfall/react";
import { type ReactNode, useEffect } from "react";
import { goTo, useRoute } from "../route.js";
import { type Session, useSession } from "../session.js";
import { type Sites, useSites } from "../sites.js";
import { FirstSite } from "./first-site.js";
import { SignIn } from "./sign-in.js";
import { SitePage } from "./site-page.js";

export function App(): ReactNode {
  const session = useSession();
  if (!session) return <SignIn />;
  return (
    <LandfallProvider client={session.client}>
      <SignedIn key={session.user} {...session} />
    </LandfallProvider>
  );
}

function SignedIn({ user, client }: Session): ReactNode {
  const route = useRoute();
  const sites = useSites(client, user);
  const first = firstSite(sites);
  useEffect(() => {
    if (route.view === "start" && first !== undefined) goTo({ view: "projects", site: first }, "replace");
  }, [route, first]);
  if (route.view !== "start")
    return <SitePage key={route.site} route={route} client={client} user={user} sites={sites} />;
  if (first !== undefined) return null;
  return <FirstSite client={client} user={user} sites={sites} />;
}

/** The site that was open last, or else one that there is. */
function firstSite({ known, last }: Sites): string | undefined {
  return known.some(({ id }) => id === last) ? last : known[0]?.id;
}
