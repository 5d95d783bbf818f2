"""Everything the notification service reads from its environment. Read once, at start."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    mail_sender: str = "orders@cartwright.example"  # envelope sender and From
