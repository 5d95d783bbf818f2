"""Whether a stack that just came up works, part by part (ADR-0022). Judges no order."""

ENDPOINTS_VARIABLE = "SELF_TEST_ENDPOINTS"
