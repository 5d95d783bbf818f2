"""What staff do behind the counter: prices, deliveries, counting, refunds, mails that got lost."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from harness.shopper.caller import Answer, Caller, read

# Of what a product says of itself, what staff may write (the catalog's contract, Details).
WRITABLE = (
    "name", "department", "category", "price_minor", "currency", "product_type", "brand", "size",
    "product_group_id",
)  # fmt: skip


class Staff(Caller):
    """Somebody with a token of role staff. Each method asks one thing; see `Answer`."""

    def product(self, sku: str) -> Answer:
        return self.ask("GET", "catalog", f"/products/{sku}")

    def change(self, sku: str, *, etag: str = "", **changes: Any) -> Answer:
        """Change a product as it is now. etag: of the version that was read, else of today's."""
        today = self.product(sku)
        details = {name: today.expect()[name] for name in WRITABLE} | changes
        path = f"/products/{sku}"
        return self.ask("PUT", "catalog", path, json=details, etag=etag or today.etag)

    def write_blindly(self, sku: str, **changes: Any) -> Answer:
        """Change a product without saying which version is meant."""
        details = {name: self.product(sku).expect()[name] for name in WRITABLE} | changes
        return self.ask("PUT", "catalog", f"/products/{sku}", json=details)

    def withdraw(self, sku: str) -> Answer:
        etag = self.product(sku).etag
        return self.ask("DELETE", "catalog", f"/products/{sku}", etag=etag)

    def list_products(self, products: Sequence[Mapping[str, Any]]) -> Answer:
        """Put products on sale: all of them or none."""
        return self.ask("POST", "catalog", "/product-imports", json={"products": products})

    def send_file(self, csv: str, *, key: str) -> Answer:
        """A file of products, which the shop takes in by and by."""
        headers = self.headers() | {"Content-Type": "text/csv", "Idempotency-Key": key}
        url = f"{self.services['catalog']}/product-imports"
        return read(self.http.post(url, content=csv, headers=headers))

    def file_progress(self, import_id: str) -> Answer:
        return self.ask("GET", "catalog", f"/product-imports/{import_id}")

    def file_faults(self, import_id: str) -> Answer:
        return self.ask("GET", "catalog", f"/product-imports/{import_id}/errors")

    def receive(self, sku: str, pieces: int, *, key: str = "") -> Answer:
        """A delivery goes on the shelf."""
        body = {"lines": [{"sku": sku, "quantity": pieces}], "note": "delivery"}
        return self.ask("POST", "inventory", "/stock/receipts", json=body, key=key)

    def adjust(self, sku: str, delta: int, *, reason: str) -> Answer:
        """reason: as the inventory's contract names it, e.g. ``damage``."""
        body = {"sku": sku, "delta": delta, "reason": reason, "note": "counted"}
        return self.ask("POST", "inventory", "/stock/adjustments", json=body)

    def movements(self, sku: str) -> Answer:
        """Everything that changed the stock, the latest first."""
        return self.ask("GET", "inventory", f"/stock/{sku}/movements")

    def order(self, order_id: str) -> Answer:
        return self.ask("GET", "order", f"/orders/{order_id}")

    def take_in(self, order_id: str, return_id: str) -> Answer:
        """The goods of a return are here."""
        return self.ask("POST", "order", f"/orders/{order_id}/returns/{return_id}/receipt", json={})

    def refund(self, order_id: str, amount_minor: int, reason: str) -> Answer:
        body = {"amount_minor": amount_minor, "reason": reason}
        key = str(uuid.uuid4())
        return self.ask("POST", "payment", f"/payments/{order_id}/refunds", json=body, key=key)

    def mails_about(self, order_id: str) -> Answer:
        return self.ask("GET", "notification", f"/orders/{order_id}/messages")

    def send_again(self, message_id: str) -> Answer:
        key = str(uuid.uuid4())
        return self.ask("POST", "notification", f"/messages/{message_id}/resend", key=key)

    def suppressions(self, address: str) -> Answer:
        return self.ask("GET", "notification", "/suppressions", query={"address": address})

    def write_again_to(self, suppression_id: str) -> Answer:
        """From now on its address gets mails again."""
        return self.ask("DELETE", "notification", f"/suppressions/{suppression_id}")
