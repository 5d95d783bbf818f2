"""One HTML file for an acceptance run: scenario, steps, and what really flowed and was booked."""
