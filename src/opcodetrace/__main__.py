"""`python -m opcodetrace`, and the command `opcodetrace`."""

import signal


def main() -> None:
    """Ctrl-C while we are loaded ends us without a word; the command then takes it over (`Commands.invoke`)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from opcodetrace_cli import main as run

    run()


if __name__ == "__main__":
    main()
