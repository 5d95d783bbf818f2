import NextLink from "next/link";
import type { ComponentProps } from "react";

/** Without prefetch: it would ask the services for every link in sight after each change. */
export function Link(props: ComponentProps<typeof NextLink>) {
  return <NextLink prefetch={false} {...props} />;
}
