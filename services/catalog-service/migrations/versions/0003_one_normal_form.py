"""A word is found however its letters are put together: "が" may be one character or two."""

from alembic import op

revision = "0003"
down_revision = "0002"

# NFKC (Unicode UAX #15): also half-width letters and ligatures. Immutable as before.
FOLD = """
CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(unaccent('unaccent'::regdictionary, normalize(words, NFKC)) COLLATE pg_c_utf8)
"""
# Only where it makes a difference: what is computed is computed anew.
OTHERS = "concat_ws(' ', name, product_type, category, brand, department) IS NOT NFKC NORMALIZED"
COMPUTED = f"UPDATE products SET name = name WHERE {OTHERS}"  # noqa: S608  Constants.
WORDS = f"""
INSERT INTO search_words (word, products)
SELECT word, count(*) FROM products,
  regexp_split_to_table(
    fold(concat_ws(' ', name, product_type, category, brand, department)), '[\\s!-/:-@\\[-`{{-~]+'
  ) AS word
 WHERE {OTHERS} AND char_length(word) BETWEEN 3 AND 32 AND word !~ '[0-9]' GROUP BY word
    ON CONFLICT (word) DO NOTHING
"""  # noqa: S608  Constants.


def upgrade() -> None:
    op.execute(FOLD)
    op.execute(COMPUTED)
    op.execute(WORDS)
