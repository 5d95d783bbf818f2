"use client";
import { useRouter } from "next/navigation";
import { useEffect } from "react";

// Most orders are decided within a second; one that is not may wait for its watchdog (30 s).
const FIRST_LOOK_MS = 500;
const LOOK_MS_MAX = 10_000;
const GROWTH = 1.5;

/** Looks again, ever more rarely, for as long as it is on the page. */
export function Follow() {
  const router = useRouter();
  useEffect(() => {
    let pauseMs = FIRST_LOOK_MS;
    let timer = setTimeout(look, pauseMs);
    function look() {
      router.refresh();
      pauseMs = Math.min(pauseMs * GROWTH, LOOK_MS_MAX);
      timer = setTimeout(look, pauseMs);
    }
    return () => clearTimeout(timer);
  }, [router]);
  return null;
}
