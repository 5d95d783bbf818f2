"""Having an account."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import common.bodies
from common import auth
from common.auth import Role
from common.db import Database
from common.ids import new_id
from flask import Blueprint, Response, request

from auth import domain
from auth.domain import Customer, WrongCredentials, WrongPassword
from auth.routes import bodies
from auth.use_cases import accounts
from auth.use_cases.passwords import Passwords, common_passwords


def customers(
    db: Database,
    passwords: Passwords,
    count_registration: Callable[[str], None],
    count_login: Callable[[str, str], None],
    tell_ended: Callable[[Iterable[str]], None],
) -> Blueprint:
    """count_registration: takes a network address; raises TooManyRegistrations.
    count_login: takes an account and an address; raises TooManyLogins, LoginLimitUnavailable.
    tell_ended: takes the ids of sessions whose access tokens hold no longer.
    """
    blueprint = Blueprint("customers", __name__)

    @blueprint.post("/register")
    @auth.public
    def register() -> Response:
        body = common.bodies.read(bodies.RegistrationIn)
        password = body.password.get_secret_value()
        domain.refuse_common_password(password, body.email, common_passwords())
        count_registration(request.remote_addr or "")
        customer = Customer(new_id(), body.email, body.name)
        password_hash = passwords.hash(password)
        with db.transaction() as tx:
            accounts.register(tx, customer, password_hash)
        known = {"customer_id": customer.id, "email": customer.email, "name": customer.name}
        return bodies.secret(known, 201)

    @blueprint.get("/me")
    @auth.requires(*Role)
    def describe() -> Response:
        with db.transaction() as tx:
            known = accounts.describe(tx, auth.caller())
        return bodies.secret(known)

    @blueprint.put("/me/password")
    @auth.requires(Role.CUSTOMER, Role.STAFF)
    def change_password() -> Response:
        body = common.bodies.read(bodies.PasswordChangeIn)
        caller, new = auth.caller(), body.new_password.get_secret_value()
        count_login(caller.id, request.remote_addr or "")
        with db.transaction() as tx:
            accounts.refuse_common_password(tx, caller, new, common_passwords())
            known = accounts.find_credentials(tx, customer_id=caller.id)
        try:
            known = passwords.check(known, body.current_password.get_secret_value())
        except WrongCredentials as error:
            raise WrongPassword from error
        password_hash = passwords.hash(new)
        with db.transaction() as tx:
            ended = accounts.change_password(tx, caller, known, password_hash, datetime.now(UTC))
        if ended is None:
            raise WrongPassword
        tell_ended(ended)
        return Response(status=204)

    return blueprint
