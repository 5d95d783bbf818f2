from common.testing import fixtures

database_url, db = fixtures.database("inventory")
