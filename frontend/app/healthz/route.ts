/** Whether this process runs; asks no service. */
export function GET(): Response {
  return Response.json({ status: "ok" });
}
