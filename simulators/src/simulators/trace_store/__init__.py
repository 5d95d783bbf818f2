"""Takes spans by OTLP/HTTP and answers for traces as Jaeger does. Keeps spans if told where."""
