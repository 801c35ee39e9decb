"""Run inside an environment with the sensor, an SDK and other people's instrumentation: the example client below it.

Usage: ``python _beside.py TOOL EXAMPLES``. What the tools saw is printed after what the example prints.
"""

from __future__ import annotations

import runpy
import sys

TOOL, EXAMPLES = sys.argv[1:3]
sys.path.insert(0, EXAMPLES)
CLIENT = f"{EXAMPLES}/client.py"
saw: list[str] = []


def run() -> None:
    """The example."""
    sys.argv[:] = [CLIENT]
    runpy.run_path(CLIENT, run_name="__main__")


def typeguard() -> None:
    """Everything of the example is checked."""
    from typeguard import install_import_hook

    install_import_hook(["client", "server"])
    run()


def observers() -> None:
    """Three that all patch: OpenTelemetry, ddtrace, sentry."""
    import ddtrace
    import sentry_sdk
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    ddtrace.patch_all()
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    transactions = []
    sentry_sdk.init(
        dsn="https://key@sentry.example/1",
        traces_sample_rate=1.0,
        before_send_transaction=lambda event, _hint: transactions.append(event),  # None: it is sent nowhere
    )
    with trace.get_tracer("test").start_as_current_span("outer"), sentry_sdk.start_transaction(name="outer"):
        run()
    saw.append(f"spans {sorted(span.name for span in exporter.get_finished_spans())}")
    saw.append(f"transactions {len(transactions)}")


{"typeguard": typeguard, "observers": observers}[TOOL]()
print(*saw, sep="\n")
