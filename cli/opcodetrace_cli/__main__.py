"""`python -m opcodetrace_cli`."""

from opcodetrace_cli import main

if __name__ == "__main__":
    main(prog_name="opcodetrace")
