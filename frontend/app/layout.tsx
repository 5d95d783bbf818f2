import "./globals.css";
import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { Header } from "@/components/page/header";

export const metadata: Metadata = {
  title: { default: "Cartwright, groceries", template: "%s · Cartwright" },
  description: "A small but real grocery shop, to learn from. Nothing is sold.",
};

export const viewport: Viewport = { themeColor: "#fdfcf7" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body className="flex min-h-dvh flex-col antialiased">
        <Header />
        <main id="main" className="frame flex-1 py-8">
          {children}
        </main>
        <footer className="border-t border-line">
          <p className="frame py-6 text-sm text-muted">
            A test shop: nothing is sold, no card is charged. Products and shelf prices are derived
            from The Complete Journey by 84.51°.
          </p>
        </footer>
      </body>
    </html>
  );
}
